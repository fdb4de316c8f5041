// The projection of one time step, both directions at once: h = m·W_hrᵀ with m = o⊙tanh(c), then zoneout, ended
// sequences and recurrent dropout as for any state.
//
//   weight  [D, H, R]  W_hrᵀ: row k, unit
//   h       in it, at product_read, m of this step [B, H]; states by step, [B, R] each
//   mask    [T·B]      0 where a sequence has ended
//   seed    one whole number
//
// One invocation computes eight batch rows of four units, in two 4×4 accumulators.
// Workgroups: (⌈⌈B/8⌉·(R/4) / 32⌉, 1, D). R and H are padded to multiples of four, with zeros.

@group(0) @binding(0) var<storage, read> weight: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> h: array<vec4f>;
@group(0) @binding(2) var<storage, read> mask: array<i32>;
@group(0) @binding(3) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let direction = id.z;
  let quads = params.hidden_quads;
  let quad = id.x % quads;
  let row0 = id.x / quads * 8u;
  if (row0 >= params.batch) {
    return;
  }
  var upper = mat4x4f();  // column = batch row, component = unit
  var lower = mat4x4f();
  // Rows past the batch repeat the last one.
  let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
  let last = vec4u(params.batch - 1u);
  let first = params.product_read[direction] + min(rows, last) * params.product_quads;
  let second = params.product_read[direction] + min(rows + 4u, last) * params.product_quads;
  let weights = direction * params.weight_stride + quad;
  for (var k = 0u; k < params.product_quads; k++) {
    let m_upper = mat4x4f(h[first.x + k], h[first.y + k], h[first.z + k], h[first.w + k]);
    let m_lower = mat4x4f(h[second.x + k], h[second.y + k], h[second.z + k], h[second.w + k]);
    let at = weights + (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * quads;
    let w = mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
    upper += w * m_upper;
    lower += w * m_lower;
  }
  var sums = array<mat4x4f, 2>(upper, lower);
  for (var row = 0u; row < min(8u, params.batch - row0); row++) {
    store_state(direction, row0 + row, quad, quads, sums[row / 4u][row % 4u]);
  }
}
