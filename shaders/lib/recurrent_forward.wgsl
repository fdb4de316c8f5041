// What every forward step has: its parameters, and how it reads its weight. Places are in vec4, one for each direction.
// A direction may also be one of two layers that run side by side. Workgroup z is the direction, counted from
// first_direction.

struct Params {
  gates_row: vec2u,      // row of the gates, [T·B] for each direction
  h_read: vec2u,         // the state before this step
  h_write: vec2u,        // the state after it (with a projection: its input)
  product_read: vec2u,   // what enters the recurrent product: the state before, perhaps with dropout
  dropped_write: vec2u,  // the state after, with recurrent dropout
  c_read: vec2u,
  c_write: vec2u,
  mask_row: vec2u,       // t·B
  row_step: vec2u,       // of many steps: rows from one to the next
  h_step: vec2u,         // and how far apart h of two of them is
  c_step: vec2u,
  zoneout: vec2f,        // of h, of c
  zoneout_threshold: vec2u,
  first_direction: u32,  // of those that run
  steps: u32,            // how many
  h_places: u32,         // 1: two places of h alternate; all bits: each step has its own
  c_places: u32,
  batch: u32,            // B
  hidden_quads: u32,     // H/4
  product_quads: u32,    // length of the recurrent product, in vec4
  weight_stride: u32,    // from one direction's weights to the next
  vector_stride: u32,    // from one direction's biases and peepholes to the next
  has_bias: u32,
  has_peephole: u32,
  has_mask: u32,
  has_previous: u32,     // 0: the state before this step is zero
  has_product: u32,      // 0: what enters the recurrent product is zero
  save: u32,             // 1: keep what the backward pass needs
  activation: u32,
  gate_activation: u32,
  output_activation: u32,
  coupled: u32,
  projected: u32,        // 1: h_write takes the input of a projection
  gate_clip: f32,
  cell_clip: f32,
  training: u32,
  stream: u32,
  hidden_width: u32,     // H as it is, unpadded
  state_width: u32,      // width of h as it is, unpadded
  dropout_threshold: u32,
  dropout_scale: f32,    // 1/(1−p), 0 without recurrent dropout
}

// Four rows of the weight, four units of one gate: column = k, component = unit.
fn weight_block(at: u32) -> mat4x4f {
  let row = GATES * params.hidden_quads;
  return mat4x4f(weight[at], weight[at + row], weight[at + 2u * row], weight[at + 3u * row]);
}
