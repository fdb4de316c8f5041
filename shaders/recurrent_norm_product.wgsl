// result[row, n] = Σ_k source[row, k]·weight[k, n] for one time step of a recurrent layer with layer normalization,
// both directions at once: h·W_hhᵀ forward, the gradient of that product times W_hh backward.
//
//   source  [B, K] for each direction
//   weight  [D, K, N]
//   result  [B, N] for each direction; assigned, zeros where K is 0
//
// One invocation computes tile_rows batch rows, 1 or 8, of four columns.
// Workgroups: (⌈⌈B/tile_rows⌉·(N/4) / 32⌉, 1, D). Widths are padded to a multiple of four, with zeros.

struct Params {
  source_read: vec2u,    // in vec4, for each direction
  result_write: vec2u,
  batch: u32,            // B
  source_quads: u32,     // K/4
  result_quads: u32,     // N/4
  weight_stride: u32,    // from one direction's weights to the next
  tile_rows: u32,
}

@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let direction = id.z;
  let quads = params.result_quads;
  let length = params.source_quads;
  let quad = id.x % quads;
  let row0 = id.x / quads * params.tile_rows;
  if (row0 >= params.batch) {
    return;
  }
  let source0 = params.source_read[direction];
  let result0 = params.result_write[direction] + row0 * quads + quad;
  let weights = direction * params.weight_stride + quad;
  if (params.tile_rows == 1u) {
    var sum = vec4f();
    for (var k = 0u; k < length; k++) {
      let at = weights + (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * quads;
      sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * source[source0 + row0 * length + k];
    }
    result[result0] = sum;
    return;
  }
  var upper = mat4x4f();  // column = batch row, component = column of the weight
  var lower = mat4x4f();
  // Rows past the batch repeat the last one.
  let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
  let last = vec4u(params.batch - 1u);
  let first = source0 + min(rows, last) * length;
  let second = source0 + min(rows + 4u, last) * length;
  for (var k = 0u; k < length; k++) {
    let s_upper = mat4x4f(source[first.x + k], source[first.y + k], source[first.z + k], source[first.w + k]);
    let s_lower = mat4x4f(source[second.x + k], source[second.y + k], source[second.z + k], source[second.w + k]);
    let at = weights + (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * quads;
    let w = mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
    upper += w * s_upper;
    lower += w * s_lower;
  }
  var sums = array<mat4x4f, 2>(upper, lower);
  for (var row = 0u; row < min(8u, params.batch - row0); row++) {
    result[result0 + row * quads] = sums[row / 4u][row % 4u];
  }
}
