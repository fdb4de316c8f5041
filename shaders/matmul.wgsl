// C = A·B + bias; operands and parameters are in lib/matmul.wgsl
//
// One invocation computes an 8×8 tile of C, four 4×4 blocks each in one matrix accumulator, so that a step of
// four k is four matrix products. No shared memory: for any GPU.
// Workgroups: (⌈N/64⌉, ⌈batches·⌈M/8⌉ / 8⌉, parts of k).

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let down = (params.m + 7u) / 8u;
  let batch = id.y / down;
  let m0 = (id.y - batch * down) * 8u;
  let n0 = id.x * 8u;
  if (n0 >= params.n || batch >= params.batches) {
    return;
  }
  let part = workgroup.z;
  let begin = part * params.k_part;
  let end = min(params.k, begin + params.k_part);
  var a0 = rows_of_a(batch, m0, begin);
  var a1 = rows_of_a(batch, m0 + 4u, begin);
  var b0 = columns_of_b(batch, n0, begin);
  var b1 = columns_of_b(batch, n0 + 4u, begin);

  // Block of rows, block of columns; a column of each is one row m, a component one column n.
  var c00 = mat4x4f();
  var c01 = mat4x4f();
  var c10 = mat4x4f();
  var c11 = mat4x4f();
  for (var step = 0u; step < (end - begin) / 4u; step++) {
    let right0 = block_of_b(b0);
    let right1 = block_of_b(b1);
    let left0 = block_of_a(a0);
    c00 += right0 * left0;
    c01 += right1 * left0;
    let left1 = block_of_a(a1);
    c10 += right0 * left1;
    c11 += right1 * left1;
    a0 += 4u * params.a_k;
    a1 += 4u * params.a_k;
    b0 += 4u * params.b_k;
    b1 += 4u * params.b_k;
  }
  // What is left of k, one at a time.
  for (var k = begin + ((end - begin) & ~3u); k < end; k++) {
    let row0 = fetch_b(b0);
    let row1 = fetch_b(b1);
    let column0 = fetch_a(a0);
    c00 += outer_product(row0, column0);
    c01 += outer_product(row1, column0);
    let column1 = fetch_a(a1);
    c10 += outer_product(row0, column1);
    c11 += outer_product(row1, column1);
    a0 += params.a_k;
    a1 += params.a_k;
    b0 += params.b_k;
    b1 += params.b_k;
  }

  // A copy, since accumulators that are indexed do not stay in registers.
  var sums = array<mat4x4f, 4>(
    c00, c01,
    c10, c11,
  );
  for (var block = 0u; block < 2u; block++) {
    let n = n0 + 4u * block;
    if (n >= params.n) {
      break;
    }
    let added = bias_at(n, part);
    for (var row = 0u; row < min(8u, params.m - m0); row++) {
      store(batch, m0 + row, n, part, sums[row / 4u * 2u + block][row % 4u] + added);
    }
  }
}
