// One time step of an RNN layer: recurrent product, gates and new state in one dispatch.
// h(t) = tanh(a + h(t−1)·W_hhᵀ + b), or max(0, …)
//
//   gates   [T·B, H]    a = x·W_ihᵀ + b_ih; left as it is
//   weight  [H, H]      W_hhᵀ: row k, unit
//   bias    [H]         b_hh, read when has_bias
//   h       states by step, [B,H] each; reads h(t−1), assigns h(t)
//
// One invocation computes eight batch rows of four units, each gate in two 4×4 accumulators.
// Workgroups: ⌈⌈B/8⌉·(H/4) / 32⌉.
// H is padded to a multiple of four, with zeros.

struct Params {
  batch: u32,         // B
  hidden_quads: u32,  // H/4
  gates_row: u32,     // row t·B of the gates
  h_read: u32,        // where h(t−1) begins, in vec4
  h_write: u32,       // where h(t) begins, in vec4
  c_read: u32,        // where c(t−1) begins, in vec4 (cells with c)
  c_write: u32,       // where c(t) begins, in vec4 (cells with c)
  has_bias: u32,
  has_previous: u32,  // 0: the state before this step is zero
  save: u32,          // 1: keep what the backward pass needs
  activation: u32,    // rnn: 0 tanh, 1 relu
}

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

// The cell, for batch row `row` and units 4·quad to 4·quad + 3, from the products h(t−1)·W_hhᵀ.
fn finish(row: u32, quad: u32, h_sum: vec4f) {
  let quads = params.hidden_quads;
  let at = row * quads + quad;
  var a = gates[(params.gates_row + row) * quads + quad] + h_sum;
  if (params.has_bias != 0u) {
    a += bias[quad];
  }
  h[params.h_write + at] = select(safe_tanh(a), max(a, vec4f(0.0)), params.activation != 0u);
}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quads = params.hidden_quads;
  let quad = id.x % quads;
  let row0 = id.x / quads * 8u;
  if (row0 >= params.batch) {
    return;
  }
  var h_upper = mat4x4f();  // column = batch row, component = unit
  var h_lower = mat4x4f();
  if (params.has_previous != 0u) {
    // Rows past the batch repeat the last one.
    let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
    let last = vec4u(params.batch - 1u);
    let upper = params.h_read + min(rows, last) * quads;
    let lower = params.h_read + min(rows + 4u, last) * quads;
    for (var k = 0u; k < quads; k++) {
      let state_upper = mat4x4f(h[upper.x + k], h[upper.y + k], h[upper.z + k], h[upper.w + k]);
      let state_lower = mat4x4f(h[lower.x + k], h[lower.y + k], h[lower.z + k], h[lower.w + k]);
      let row = vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u);
      let at = row * quads + quad;
      let w = mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
      h_upper += w * state_upper;
      h_lower += w * state_lower;
    }
  }
  var h_sums = array<mat4x4f, 2>(h_upper, h_lower);
  for (var row = 0u; row < min(8u, params.batch - row0); row++) {
    finish(row0 + row, quad, h_sums[row / 4u][row % 4u]);
  }
}
