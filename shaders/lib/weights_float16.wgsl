// Weights as float16, two to a word and four to an element: half the bytes, and half the loads. They are unpacked to
// float32, which every adapter can do without a feature. As strided_copy_float16.wgsl packs them.

alias Weights = vec2u;

fn weight_quad(at: u32) -> vec4f {
  let words = weight[at];
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}

// Four elements, one a column.
fn weight_block(at: vec4u) -> mat4x4f {
  return mat4x4f(weight_quad(at.x), weight_quad(at.y), weight_quad(at.z), weight_quad(at.w));
}
