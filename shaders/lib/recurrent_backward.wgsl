// Every backward step: its parameters, the product it begins with, and the entry point, which hands each result
// to the cell's finish(). Places are in vec4, one for each direction; workgroup z is the direction. "Next" is the
// step that came after this one, whichever way time ran.

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
  zoneout: vec2f,        // of h, of c
  zoneout_threshold: vec2u,
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

// source[row, n]·weight[n, unit] for eight batch rows and two quads of units: the left quad of the upper four
// rows and of the lower four, then the right quad; column = batch row, component = unit.
fn recurrent_product(direction: u32, row0: u32, quad0: u32, quad1: u32) -> array<mat4x4f, 4> {
  var upper_left = mat4x4f();
  var upper_right = mat4x4f();
  var lower_left = mat4x4f();
  var lower_right = mat4x4f();
  // Rows past the batch repeat the last one.
  let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
  let last = vec4u(params.batch - 1u);
  let upper = params.source_read[direction] + min(rows, last) * params.source_stride;
  let lower = params.source_read[direction] + min(rows + 4u, last) * params.source_stride;
  let weights = params.weight_offset + direction * params.weight_stride;
  let length = select(0u, params.source_quads, params.has_next != 0u);
  for (var n = 0u; n < length; n++) {
    let s_upper = mat4x4f(gates[upper.x + n], gates[upper.y + n], gates[upper.z + n], gates[upper.w + n]);
    let s_lower = mat4x4f(gates[lower.x + n], gates[lower.y + n], gates[lower.z + n], gates[lower.w + n]);
    let shifted = n + params.weight_shift;
    let row = select(shifted, shifted - params.source_quads, shifted >= params.source_quads);
    let at = weights + (vec4u(row * 4u) + vec4u(0u, 1u, 2u, 3u)) * params.unit_quads;
    let left = at + quad0;
    let right = at + quad1;
    let w_left = mat4x4f(weight[left.x], weight[left.y], weight[left.z], weight[left.w]);
    let w_right = mat4x4f(weight[right.x], weight[right.y], weight[right.z], weight[right.w]);
    upper_left += w_left * s_upper;
    upper_right += w_right * s_upper;
    lower_left += w_left * s_lower;
    lower_right += w_right * s_lower;
  }
  return array<mat4x4f, 4>(upper_left, lower_left, upper_right, lower_right);
}

// The whole gradient of h after this step: through the product, beside it, and from the outputs.
fn state_gradient(direction: u32, row: u32, quad: u32, sum: vec4f) -> vec4f {
  let at = row * params.unit_quads + quad;
  var dh = sum * recurrent_dropout(direction, row, quad);
  if (params.has_carry_h != 0u) {
    dh += carry[params.carry_h[direction] + at];
  }
  if (params.has_dy != 0u && is_step(direction, row)) {
    dh += dy[(params.dy_row[direction] + row) * params.unit_quads + quad];
  }
  return dh;
}

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let direction = id.z;
  let quads = params.unit_quads;
  let pairs = (quads + 1u) / 2u;
  let quad0 = id.x % pairs * 2u;
  let row0 = id.x / pairs * 8u;
  if (row0 >= params.batch) {
    return;
  }
  // An odd last quad repeats its neighbour.
  let quad1 = min(quad0 + 1u, quads - 1u);
  var tile = recurrent_product(direction, row0, quad0, quad1);
  // One call in a loop, not two: compilers write every call out.
  for (var i = 0u; i < 16u; i++) {
    let row = i / 2u;
    let side = i % 2u;
    if (row0 + row < params.batch && quad0 + side < quads) {
      finish(direction, row0 + row, quad0 + side, tile[2u * side + row / 4u][row % 4u]);
    }
  }
}
