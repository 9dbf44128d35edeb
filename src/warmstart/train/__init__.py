"""Floor 3: schedule, optimizer, checkpoint and the one loop. Knows no task and no metric."""
