// One time step of an LSTM layer: recurrent product, gates and new state in one dispatch.
// i,f,o = σ(a + h(t−1)·W_hhᵀ + b), g = tanh(…), c(t) = f⊙c(t−1) + i⊙g, h(t) = o⊙tanh(c(t))
//
//   gates   [T·B, 4, H] in: a = x·W_ihᵀ + b_ih, gates i,f,g,o; out when save: the gates' values
//   weight  [H, 4, H]   W_hhᵀ: row k, gate, unit
//   bias    [4, H]      b_hh, read when has_bias
//   h       states by step, [B,H] each; reads h(t−1), assigns h(t)
//   c       states by step, [B,H] each; reads c(t−1), assigns c(t)
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
@group(0) @binding(4) var<storage, read_write> c: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

// The cell, for batch row `row` and units 4·quad to 4·quad + 3, from the products h(t−1)·W_hhᵀ.
fn finish(row: u32, quad: u32, i_sum: vec4f, f_sum: vec4f, g_sum: vec4f, o_sum: vec4f) {
  let quads = params.hidden_quads;
  let at = row * quads + quad;
  let first = (params.gates_row + row) * 4u * quads + quad;
  var a_i = gates[first] + i_sum;
  var a_f = gates[first + quads] + f_sum;
  var a_g = gates[first + 2u * quads] + g_sum;
  var a_o = gates[first + 3u * quads] + o_sum;
  if (params.has_bias != 0u) {
    a_i += bias[quad];
    a_f += bias[quads + quad];
    a_g += bias[2u * quads + quad];
    a_o += bias[3u * quads + quad];
  }
  let i = safe_sigmoid(a_i);
  let f = safe_sigmoid(a_f);
  let g = safe_tanh(a_g);
  let o = safe_sigmoid(a_o);
  var c_new = i * g;
  if (params.has_previous != 0u) {
    c_new += f * c[params.c_read + at];
  }
  c[params.c_write + at] = c_new;
  h[params.h_write + at] = o * safe_tanh(c_new);
  if (params.save != 0u) {
    gates[first] = i;
    gates[first + quads] = f;
    gates[first + 2u * quads] = g;
    gates[first + 3u * quads] = o;
  }
}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quads = params.hidden_quads;
  let quad = id.x % quads;
  let row0 = id.x / quads * 8u;
  if (row0 >= params.batch) {
    return;
  }
  var i_upper = mat4x4f();  // column = batch row, component = unit
  var i_lower = mat4x4f();
  var f_upper = mat4x4f();
  var f_lower = mat4x4f();
  var g_upper = mat4x4f();
  var g_lower = mat4x4f();
  var o_upper = mat4x4f();
  var o_lower = mat4x4f();
  if (params.has_previous != 0u) {
    // Rows past the batch repeat the last one.
    let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
    let last = vec4u(params.batch - 1u);
    let upper = params.h_read + min(rows, last) * quads;
    let lower = params.h_read + min(rows + 4u, last) * quads;
    for (var k = 0u; k < quads; k++) {
      let h_upper = mat4x4f(h[upper.x + k], h[upper.y + k], h[upper.z + k], h[upper.w + k]);
      let h_lower = mat4x4f(h[lower.x + k], h[lower.y + k], h[lower.z + k], h[lower.w + k]);
      let row = vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u);
      var at = row * (4u * quads) + quad;
      let w_i = mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
      i_upper += w_i * h_upper;
      i_lower += w_i * h_lower;
      at += quads;
      let w_f = mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
      f_upper += w_f * h_upper;
      f_lower += w_f * h_lower;
      at += quads;
      let w_g = mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
      g_upper += w_g * h_upper;
      g_lower += w_g * h_lower;
      at += quads;
      let w_o = mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
      o_upper += w_o * h_upper;
      o_lower += w_o * h_lower;
    }
  }
  var i_sums = array<mat4x4f, 2>(i_upper, i_lower);
  var f_sums = array<mat4x4f, 2>(f_upper, f_lower);
  var g_sums = array<mat4x4f, 2>(g_upper, g_lower);
  var o_sums = array<mat4x4f, 2>(o_upper, o_lower);
  for (var row = 0u; row < min(8u, params.batch - row0); row++) {
    finish(row0 + row, quad,
           i_sums[row / 4u][row % 4u], f_sums[row / 4u][row % 4u],
           g_sums[row / 4u][row % 4u], o_sums[row / 4u][row % 4u]);
  }
}
