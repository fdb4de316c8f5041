// One time step of the backward pass of a GRU layer: recurrent product and gate derivatives in one dispatch.
// dh = dy + z(t+1)⊙dh(t+1) + [dm, dr, dz](t+1)·W_hh with m = h(t−1)·W_hnᵀ + b_hn, then through each gate
//
//   gates       [T·B, 4, H] in: m,r,z,n; out: dm and the gradients of r,z,n before their activations
//   weight      [3, H, H]   W_hh: gate, unit, k
//   h           states by step, [B,H] each
//   dy          [T·B, H]    gradient of the outputs, read when has_dy
//   carry       [B, H]      in: z(t+1)⊙dh(t+1); out: z⊙dh
//   dh_final    [B, H]      gradient of the final h, read when has_dh_final
//   dh_initial  [B, H]      assigned when only_initial
//
// One invocation computes eight batch rows of eight units, in four 4×4 accumulators.
// Workgroups: ⌈⌈B/8⌉·⌈H/8⌉ / 16⌉. H is padded to a multiple of four, with zeros.

struct Params {
  batch: u32,           // B
  hidden_quads: u32,    // H/4
  gates_row: u32,       // row t·B of the gates
  next_row: u32,        // row (t+1)·B of the gates
  h_read: u32,          // where h(t−1) begins, in vec4 (rnn: h(t))
  c_read: u32,          // where c(t−1) begins, in vec4 (cells with c)
  c_now: u32,           // where c(t) begins, in vec4 (cells with c)
  has_next: u32,        // 0: no step comes after this one
  has_previous: u32,    // 0: the state before this step is zero
  has_dy: u32,
  has_dh_final: u32,    // 1: add dh_final, at the last step
  has_carry: u32,       // 0: the carried gradient is zero
  only_initial: u32,    // 1: no step, only assign dh_initial, the gradient of the initial h
  activation: u32,      // rnn: 0 tanh, 1 relu
}

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> h: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> carry: array<vec4f>;
@group(0) @binding(5) var<storage, read> dh_final: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> dh_initial: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

// The cell backwards, for batch row `row` and units 4·quad to 4·quad + 3, from the product with W_hh.
fn finish(row: u32, quad: u32, sum: vec4f) {
  let quads = params.hidden_quads;
  let at = row * quads + quad;
  var dh = sum;
  if (params.has_carry != 0u) {
    dh += carry[at];
  }
  if (params.has_dh_final != 0u) {
    dh += dh_final[at];
  }
  if (params.only_initial != 0u) {
    dh_initial[at] = dh;
    return;
  }
  if (params.has_dy != 0u) {
    dh += dy[params.gates_row * quads + at];
  }
  let first = (params.gates_row + row) * 4u * quads + quad;
  let m = gates[first];
  let r = gates[first + quads];
  let z = gates[first + 2u * quads];
  let n = gates[first + 3u * quads];
  var h_previous = vec4f();
  if (params.has_previous != 0u) {
    h_previous = h[params.h_read + at];
  }
  let dn = dh * (1.0 - z) * (1.0 - n * n);
  carry[at] = z * dh;
  gates[first] = dn * r;
  gates[first + quads] = dn * m * r * (1.0 - r);
  gates[first + 2u * quads] = dh * (h_previous - n) * z * (1.0 - z);
  gates[first + 3u * quads] = dn;
}

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quads = params.hidden_quads;
  let pairs = (quads + 1u) / 2u;
  let quad0 = id.x % pairs * 2u;
  let row0 = id.x / pairs * 8u;
  if (row0 >= params.batch) {
    return;
  }
  // An odd last quad and rows past the batch repeat their neighbour.
  let quad1 = min(quad0 + 1u, quads - 1u);
  var upper_left = mat4x4f();  // column = batch row, component = unit
  var upper_right = mat4x4f();
  var lower_left = mat4x4f();
  var lower_right = mat4x4f();
  if (params.has_next != 0u) {
    let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
    let last = vec4u(params.batch - 1u);
    let upper = (params.next_row + min(rows, last)) * (4u * quads);
    let lower = (params.next_row + min(rows + 4u, last)) * (4u * quads);
    for (var n = 0u; n < 3u * quads; n++) {
      let d_upper = mat4x4f(gates[upper.x + n], gates[upper.y + n], gates[upper.z + n], gates[upper.w + n]);
      let d_lower = mat4x4f(gates[lower.x + n], gates[lower.y + n], gates[lower.z + n], gates[lower.w + n]);
      // Slots m,r,z meet the rows n,r,z of W_hh.
      let gate_row = select(n - quads, n + 2u * quads, n < quads);
      let at = (vec4u(gate_row * 4u) + vec4u(0u, 1u, 2u, 3u)) * quads;
      let left = at + quad0;
      let right = at + quad1;
      let w_left = mat4x4f(weight[left.x], weight[left.y], weight[left.z], weight[left.w]);
      let w_right = mat4x4f(weight[right.x], weight[right.y], weight[right.z], weight[right.w]);
      upper_left += w_left * d_upper;
      upper_right += w_right * d_upper;
      lower_left += w_left * d_lower;
      lower_right += w_right * d_lower;
    }
  }
  var left_sums = array<mat4x4f, 2>(upper_left, lower_left);
  var right_sums = array<mat4x4f, 2>(upper_right, lower_right);
  for (var row = 0u; row < min(8u, params.batch - row0); row++) {
    finish(row0 + row, quad0, left_sums[row / 4u][row % 4u]);
    if (quad1 > quad0) {
      finish(row0 + row, quad1, right_sums[row / 4u][row % 4u]);
    }
  }
}
