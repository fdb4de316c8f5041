// Weights of frozen_step.wgsl as they are, one to a word.

alias Word = f32;
const PER_WORD = 1u;

// One weight, or two neighbours.
fn weight_pair(at: u32) -> vec2f {
  return vec2f(weights[at], 0.0);
}

fn bias(at: u32) -> f32 {
  return weights[at];
}
