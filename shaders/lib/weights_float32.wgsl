// Weights as they are, four to an element: for kernels with weight.

alias Weights = vec4f;

// Four elements, one a column.
fn weight_block(at: vec4u) -> mat4x4f {
  return mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
}
