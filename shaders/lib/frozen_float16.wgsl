// Weights of frozen_step.wgsl as float16, two to a word, with each row filled up to an even length; biases are float32.

alias Word = u32;
const PER_WORD = 2u;

// One weight, or two neighbours.
fn weight_pair(at: u32) -> vec2f {
  return unpack2x16float(weights[at]);
}

fn bias(at: u32) -> f32 {
  return bitcast<f32>(weights[at]);
}
