// The entry point of a forward step for batches: the recurrent product of eight batch rows and four units of each
// gate in one invocation, then finish() for each row. Rank-one updates, because the compilers of software adapters
// turn them into the fastest code.
// Workgroups: (⌈⌈B/8⌉·(H/4) / 16⌉, 1, D).

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let direction = id.z;
  let quads = params.hidden_quads;
  let quad = id.x % quads;
  let row0 = id.x / quads * 8u;
  if (row0 >= params.batch) {
    return;
  }
  var s0 = Sums();
  var s1 = Sums();
  var s2 = Sums();
  var s3 = Sums();
  var s4 = Sums();
  var s5 = Sums();
  var s6 = Sums();
  var s7 = Sums();
  if (params.has_product != 0u) {
    // Rows past the batch repeat the last one.
    let first = params.product_read[direction];
    let last = vec4u(params.batch - 1u);
    let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
    let upper = first + min(rows, last) * params.product_quads;
    let lower = first + min(rows + 4u, last) * params.product_quads;
    var at = direction * params.weight_stride + quad;
    for (var k = 0u; k < 4u * params.product_quads; k++) {
      let w = load_weight(at);
      at += GATES * quads;
      let k4 = k >> 2u;
      let c = k & 3u;
      s0 += w * h[upper.x + k4][c];
      s1 += w * h[upper.y + k4][c];
      s2 += w * h[upper.z + k4][c];
      s3 += w * h[upper.w + k4][c];
      s4 += w * h[lower.x + k4][c];
      s5 += w * h[lower.y + k4][c];
      s6 += w * h[lower.z + k4][c];
      s7 += w * h[lower.w + k4][c];
    }
  }
  var sums = array<Sums, 8>(s0, s1, s2, s3, s4, s5, s6, s7);
  for (var row = 0u; row < min(8u, params.batch - row0); row++) {
    finish(direction, row0 + row, quad, sums[row]);
  }
}
