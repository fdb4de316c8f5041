// The activations of recurrent cells, by code: 0 tanh, 1 sigmoid, 2 relu, 3 linear, 4 hard sigmoid as Keras 3
// defines it, 5 as ONNX does. Derivatives are told from the result, which is what the backward pass has.

fn activate(kind: u32, x: vec4f) -> vec4f {
  switch (kind) {
    case 0u: { return safe_tanh(x); }
    case 1u: { return safe_sigmoid(x); }
    case 2u: { return max(x, vec4f(0.0)); }
    case 4u: { return clamp(x / 6.0 + 0.5, vec4f(0.0), vec4f(1.0)); }
    case 5u: { return clamp(0.2 * x + 0.5, vec4f(0.0), vec4f(1.0)); }
    default: { return x; }
  }
}

fn slope(kind: u32, y: vec4f) -> vec4f {
  let one = vec4f(1.0);
  let inside = (y > vec4f(0.0)) & (y < one);
  switch (kind) {
    case 0u: { return 1.0 - y * y; }
    case 1u: { return y * (1.0 - y); }
    case 2u: { return select(vec4f(0.0), one, y > vec4f(0.0)); }
    case 4u: { return select(vec4f(0.0), vec4f(1.0 / 6.0), inside); }
    case 5u: { return select(vec4f(0.0), vec4f(0.2), inside); }
    default: { return one; }
  }
}

// A clamped pre-activation; a clip of 0 is off.
fn clipped(x: vec4f, clip: f32) -> vec4f {
  if (clip > 0.0) {
    return clamp(x, vec4f(-clip), vec4f(clip));
  }
  return x;
}

// The derivative of activate(kind, clipped(x, clip)): none where the clamp holds, which the result shows.
fn clipped_slope(kind: u32, y: vec4f, clip: f32) -> vec4f {
  let s = slope(kind, y);
  if (clip > 0.0) {
    let free = (y > activate(kind, vec4f(-clip))) & (y < activate(kind, vec4f(clip)));
    return select(vec4f(0.0), s, free);
  }
  return s;
}
