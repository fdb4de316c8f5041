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

// source[row, n]·weight[n, unit] for eight batch rows and four quads of units, then finish() for each of them.
@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let direction = id.z;
  let quads = params.unit_quads;
  let blocks = (quads + 3u) / 4u;
  let quad0 = id.x % blocks * 4u;
  let row0 = id.x / blocks * 8u;
  if (row0 >= params.batch) {
    return;
  }
  var s0 = mat4x4f();  // of one batch row: column = quad, component = unit
  var s1 = mat4x4f();
  var s2 = mat4x4f();
  var s3 = mat4x4f();
  var s4 = mat4x4f();
  var s5 = mat4x4f();
  var s6 = mat4x4f();
  var s7 = mat4x4f();
  if (params.has_next != 0u) {
    // Rows past the batch and quads past the width repeat the last one.
    let last = vec4u(params.batch - 1u);
    let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
    let first = params.source_read[direction];
    let upper = first + min(rows, last) * params.source_stride;
    let lower = first + min(rows + 4u, last) * params.source_stride;
    let columns = min(vec4u(quad0) + vec4u(0u, 1u, 2u, 3u), vec4u(quads - 1u));
    let weights = params.weight_offset + direction * params.weight_stride + columns;
    var row = 4u * params.weight_shift;
    for (var n = 0u; n < 4u * params.source_quads; n++) {
      let at = weights + row * quads;
      row = select(row + 1u, 0u, row + 1u == 4u * params.source_quads);
      let w = mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
      let n4 = n >> 2u;
      let c = n & 3u;
      s0 += w * gates[upper.x + n4][c];
      s1 += w * gates[upper.y + n4][c];
      s2 += w * gates[upper.z + n4][c];
      s3 += w * gates[upper.w + n4][c];
      s4 += w * gates[lower.x + n4][c];
      s5 += w * gates[lower.y + n4][c];
      s6 += w * gates[lower.z + n4][c];
      s7 += w * gates[lower.w + n4][c];
    }
  }
  var sums = array<mat4x4f, 8>(s0, s1, s2, s3, s4, s5, s6, s7);
  // One call in a loop, not many: compilers write every call out.
  for (var i = 0u; i < 32u; i++) {
    let row = i / 4u;
    let side = i % 4u;
    if (row0 + row < params.batch && quad0 + side < quads) {
      finish(direction, row0 + row, quad0 + side, sums[row][side]);
    }
  }
}
