// What every backward step has: its parameters, and how it reads what it multiplies. Places are in vec4, one for each
// direction. A direction may also be one of two layers that run side by side. Workgroup z is the direction, counted
// from first_direction. "Next" is the step that came after this one, whichever way time ran.

struct Params {
  source_read: vec2u,    // first row of what is multiplied by the weight
  gates_row: vec2u,      // row of the gates, [T·B] for each direction
  h_read: vec2u,         // the state before this step
  product_read: vec2u,   // what entered the recurrent product
  c_read: vec2u,
  dy_row: vec2u,
  mask_row: vec2u,       // t·B
  carry_h: vec2u,        // gradient of h that travels beside the product
  carry_c: vec2u,        // gradient of c
  peephole_sums: vec2u,  // gradients of peepholes by batch row
  target_write: vec2u,   // where a state's gradient is kept for products outside the loop
  row_step: vec2u,       // of many steps: rows from one to the next
  zoneout: vec2f,        // of h, of c
  zoneout_threshold: vec2u,
  first_direction: u32,  // of those that run
  steps: u32,            // how many
  batch: u32,            // B
  hidden_quads: u32,     // H/4
  unit_quads: u32,       // width of what is computed: H/4, or that of a projected state
  source_quads: u32,     // length of the product
  source_stride: u32,    // from one row of the source to the next
  weight_stride: u32,    // from one direction's weights to the next
  weight_offset: u32,
  weight_shift: u32,     // rotates the rows of the weight: row (n + shift) mod length meets source n
  vector_stride: u32,
  first_step: u32,       // 1: the last in time, the first to run
  has_next: u32,         // 0: nothing to multiply
  has_previous: u32,     // 0: the state before this step is zero
  has_dy: u32,
  has_carry_h: u32,      // 0: it is zero
  has_carry_c: u32,      // 0: it is zero
  keep_carry_h: u32,     // 1: assign it
  only_initial: u32,     // 1: no step, only assign the gradient of the initial h, to carry_h
  has_mask: u32,
  has_peephole: u32,
  activation: u32,
  gate_activation: u32,
  output_activation: u32,
  coupled: u32,
  gate_clip: f32,
  cell_clip: f32,
  training: u32,
  stream: u32,
  hidden_width: u32,
  state_width: u32,
  dropout_threshold: u32,
  dropout_scale: f32,    // 1/(1−p), 0 without recurrent dropout
}

// The whole gradient of h after this step: through the product, beside it, and from the outputs.
fn state_gradient(direction: u32, row: u32, quad: u32, sum: vec4f) -> vec4f {
  let at = row * params.unit_quads + quad;
  var dh = sum * recurrent_dropout(direction, row, quad);
  if (has_carry_h()) {
    dh += carry[params.carry_h[direction] + at];
  }
  if (has_dy() && is_step(direction, row)) {
    dh += dy[(dy_row(direction) + row) * params.unit_quads + quad];
  }
  return dh;
}

// Four rows of the weight, four units: column = n, component = unit. Rows are turned by weight_shift.
fn weight_block(direction: u32, n: u32, quad: u32) -> mat4x4f {
  let shifted = n + params.weight_shift;
  let row = select(shifted, shifted - params.source_quads, shifted >= params.source_quads);
  let quads = params.unit_quads;
  let at = params.weight_offset + direction * params.weight_stride + row * 4u * quads + quad;
  return mat4x4f(weight[at], weight[at + quads], weight[at + 2u * quads], weight[at + 3u * quads]);
}
