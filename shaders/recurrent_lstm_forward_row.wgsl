// One time step of an LSTM layer: recurrent product, gates and new state in one dispatch.
// i,f,o = σ(a + h(t−1)·W_hhᵀ + b), g = tanh(…), c(t) = f⊙c(t−1) + i⊙g, h(t) = o⊙tanh(c(t))
//
//   gates   [T·B, 4, H] in: a = x·W_ihᵀ + b_ih, gates i,f,g,o; out when save: the gates' values
//   weight  [H, 4, H]   W_hhᵀ: row k, gate, unit
//   bias    [4, H]      b_hh, read when has_bias
//   h       states by step, [B,H] each; reads h(t−1), assigns h(t)
//   c       states by step, [B,H] each; reads c(t−1), assigns c(t)
//
// One invocation computes one batch row of four units: for small batches.
// Workgroups: ⌈B·(H/4) / 32⌉.
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
  let row = id.x / quads;
  if (row >= params.batch) {
    return;
  }
  var i_sum = vec4f();
  var f_sum = vec4f();
  var g_sum = vec4f();
  var o_sum = vec4f();
  if (params.has_previous != 0u) {
    for (var k = 0u; k < quads; k++) {
      let h_k = h[params.h_read + row * quads + k];
      var at = (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * (4u * quads) + quad;
      i_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
      at += quads;
      f_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
      at += quads;
      g_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
      at += quads;
      o_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
    }
  }
  finish(row, quad, i_sum, f_sum, g_sum, o_sum);
}
