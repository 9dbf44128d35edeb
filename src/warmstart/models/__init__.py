"""Floor 2: attention, backbones, heads, losses, presets and the model folder. Knows no text and no device."""
