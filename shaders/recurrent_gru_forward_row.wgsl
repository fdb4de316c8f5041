// One time step of a GRU layer: recurrent product, gates and new state in one dispatch.
// r,z = σ(a + h(t−1)·W_hhᵀ + b), m = h(t−1)·W_hnᵀ + b_hn, n = tanh(a_n + r⊙m), h(t) = (1−z)⊙n + z⊙h(t−1)
//
//   gates   [T·B, 4, H] in: slots 1 to 3 hold a = x·W_ihᵀ + b_ih, gates r,z,n;
//                       out when save: m, r, z, n
//   weight  [H, 3, H]   W_hhᵀ: row k, gate, unit
//   bias    [3, H]      b_hh, read when has_bias
//   h       states by step, [B,H] each; reads h(t−1), assigns h(t)
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
@group(1) @binding(0) var<uniform> params: Params;

// The cell, for batch row `row` and units 4·quad to 4·quad + 3, from the products h(t−1)·W_hhᵀ.
fn finish(row: u32, quad: u32, r_sum: vec4f, z_sum: vec4f, n_sum: vec4f) {
  let quads = params.hidden_quads;
  let at = row * quads + quad;
  let first = (params.gates_row + row) * 4u * quads + quad;
  var a_r = gates[first + quads] + r_sum;
  var a_z = gates[first + 2u * quads] + z_sum;
  var m = n_sum;
  if (params.has_bias != 0u) {
    a_r += bias[quad];
    a_z += bias[quads + quad];
    m += bias[2u * quads + quad];
  }
  let r = safe_sigmoid(a_r);
  let z = safe_sigmoid(a_z);
  let n = safe_tanh(gates[first + 3u * quads] + r * m);
  var h_new = (1.0 - z) * n;
  if (params.has_previous != 0u) {
    h_new += z * h[params.h_read + at];
  }
  h[params.h_write + at] = h_new;
  if (params.save != 0u) {
    gates[first] = m;
    gates[first + quads] = r;
    gates[first + 2u * quads] = z;
    gates[first + 3u * quads] = n;
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
  var r_sum = vec4f();
  var z_sum = vec4f();
  var n_sum = vec4f();
  if (params.has_previous != 0u) {
    for (var k = 0u; k < quads; k++) {
      let h_k = h[params.h_read + row * quads + k];
      var at = (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * (3u * quads) + quad;
      r_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
      at += quads;
      z_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
      at += quads;
      n_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
    }
  }
  finish(row, quad, r_sum, z_sum, n_sum);
}
