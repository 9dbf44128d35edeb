/** Fingers on the map, which regl-scatterplot does not know: one moves it (or draws the lasso), two zoom, a tap chooses. */

const TAP_MS = 300;
const TAP_PIXELS = 8;

export function withTouch(canvas) {
  const fingers = new Map();
  let begun = null;
  let apart = 0;

  const mouse = (type, { clientX, clientY }, target = canvas, buttons = 1) =>
    target.dispatchEvent(new MouseEvent(type, { bubbles: true, cancelable: true, view: window, clientX, clientY, buttons }));
  const middle = () => {
    const [one, other] = [...fingers.values()];
    return { clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2 };
  };
  const distance = () => {
    const [one, other] = [...fingers.values()];
    return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  };
  const place = ({ clientX, clientY, timeStamp }) => ({ clientX, clientY, timeStamp });

  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
    if (fingers.size === 1) {
      begun = place(event);
      mouse("mouseenter", event);
      mouse("mousemove", event, window, 0);
      mouse("mousedown", event);
    } else {
      mouse("mouseup", begun, window, 0);
      begun = null;
      apart = distance();
    }
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, place(event));
    if (fingers.size === 1 && begun) mouse("mousemove", event, window);
    if (fingers.size === 2) {
      const now = distance();
      const at = middle();
      mouse("mousemove", at, window, 0);
      canvas.dispatchEvent(new WheelEvent("wheel", { bubbles: true, cancelable: true, ...at, deltaY: (apart - now) * 2 }));
      apart = now;
    }
  });
  const lift = (event) => {
    if (!fingers.delete(event.pointerId) || !begun) return;
    mouse("mouseup", event, window, 0);
    const still = Math.hypot(event.clientX - begun.clientX, event.clientY - begun.clientY) < TAP_PIXELS;
    if (still && event.timeStamp - begun.timeStamp < TAP_MS) mouse("click", event, canvas, 0);
    begun = null;
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  // the browser's own mouse events after a touch would do everything twice
  for (const type of ["touchstart", "touchend"]) canvas.addEventListener(type, (event) => event.preventDefault(), { passive: false });
}
