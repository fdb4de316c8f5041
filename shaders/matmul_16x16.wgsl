// C = A·B + bias; operands and parameters are in lib/matmul.wgsl
//
// One invocation computes a 16×16 tile of C, sixteen 4×4 blocks each in one matrix accumulator: for software
// adapters, where a load costs several times what a multiplication does and registers are memory anyway.
// Tiles are numbered along the rows of C, so that no invocation of a workgroup is idle but in the last one.
// Workgroups: ⌈batches·⌈M/16⌉·⌈N/16⌉ / 8⌉, ⌈N/16⌉ being rounded up to a multiple of TOGETHER, folded into two dimensions;
// by parts of k.

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let across = ((params.n + 15u) / 16u + TOGETHER - 1u) / TOGETHER * TOGETHER;
  let tile = linear_index(workgroup, workgroups, local, 8u);
  let down = (params.m + 15u) / 16u;
  let tile_row = tile / across;
  let batch = tile_row / down;
  let m0 = (tile_row - batch * down) * 16u;
  let n0 = (tile - tile_row * across) * 16u;
  if (batch >= params.batches) {
    return;
  }
  let part = workgroup.z;
  let begin = part * params.k_part;
  let end = min(params.k, begin + params.k_part);
  var a0 = loaded_rows(rows_of_a(batch, m0, begin), local);
  var a1 = loaded_rows(rows_of_a(batch, m0 + 4u, begin), local);
  var a2 = loaded_rows(rows_of_a(batch, m0 + 8u, begin), local);
  var a3 = loaded_rows(rows_of_a(batch, m0 + 12u, begin), local);
  var b0 = columns_of_b(batch, n0, begin);
  var b1 = columns_of_b(batch, n0 + 4u, begin);
  var b2 = columns_of_b(batch, n0 + 8u, begin);
  var b3 = columns_of_b(batch, n0 + 12u, begin);

  // Block of rows, block of columns; a column of each is one row m, a component one column n.
  var c00 = mat4x4f();
  var c01 = mat4x4f();
  var c02 = mat4x4f();
  var c03 = mat4x4f();
  var c10 = mat4x4f();
  var c11 = mat4x4f();
  var c12 = mat4x4f();
  var c13 = mat4x4f();
  var c20 = mat4x4f();
  var c21 = mat4x4f();
  var c22 = mat4x4f();
  var c23 = mat4x4f();
  var c30 = mat4x4f();
  var c31 = mat4x4f();
  var c32 = mat4x4f();
  var c33 = mat4x4f();
  for (var step = 0u; step < (end - begin) / 4u; step++) {
    let right0 = block_of_b(b0);
    let right1 = block_of_b(b1);
    let right2 = block_of_b(b2);
    let right3 = block_of_b(b3);
    let left0 = block_of_a(a0);
    c00 += right0 * left0;
    c01 += right1 * left0;
    c02 += right2 * left0;
    c03 += right3 * left0;
    let left1 = block_of_a(a1);
    c10 += right0 * left1;
    c11 += right1 * left1;
    c12 += right2 * left1;
    c13 += right3 * left1;
    let left2 = block_of_a(a2);
    c20 += right0 * left2;
    c21 += right1 * left2;
    c22 += right2 * left2;
    c23 += right3 * left2;
    let left3 = block_of_a(a3);
    c30 += right0 * left3;
    c31 += right1 * left3;
    c32 += right2 * left3;
    c33 += right3 * left3;
    a0 += 4u * params.a_k;
    a1 += 4u * params.a_k;
    a2 += 4u * params.a_k;
    a3 += 4u * params.a_k;
    b0 += 4u * params.b_k;
    b1 += 4u * params.b_k;
    b2 += 4u * params.b_k;
    b3 += 4u * params.b_k;
  }
  // What is left of k, one at a time.
  for (var k = begin + ((end - begin) & ~3u); k < end; k++) {
    let row0 = fetch_b(b0);
    let row1 = fetch_b(b1);
    let row2 = fetch_b(b2);
    let row3 = fetch_b(b3);
    let column0 = column_of_a(a0);
    c00 += outer_product(row0, column0);
    c01 += outer_product(row1, column0);
    c02 += outer_product(row2, column0);
    c03 += outer_product(row3, column0);
    let column1 = column_of_a(a1);
    c10 += outer_product(row0, column1);
    c11 += outer_product(row1, column1);
    c12 += outer_product(row2, column1);
    c13 += outer_product(row3, column1);
    let column2 = column_of_a(a2);
    c20 += outer_product(row0, column2);
    c21 += outer_product(row1, column2);
    c22 += outer_product(row2, column2);
    c23 += outer_product(row3, column2);
    let column3 = column_of_a(a3);
    c30 += outer_product(row0, column3);
    c31 += outer_product(row1, column3);
    c32 += outer_product(row2, column3);
    c33 += outer_product(row3, column3);
    a0 += params.a_k;
    a1 += params.a_k;
    a2 += params.a_k;
    a3 += params.a_k;
    b0 += params.b_k;
    b1 += params.b_k;
    b2 += params.b_k;
    b3 += params.b_k;
  }

  // A copy, since accumulators that are indexed do not stay in registers.
  var sums = array<mat4x4f, 16>(
    c00, c01, c02, c03,
    c10, c11, c12, c13,
    c20, c21, c22, c23,
    c30, c31, c32, c33,
  );
  for (var block = 0u; block < 4u; block++) {
    let n = n0 + 4u * block;
    if (n >= params.n) {
      break;
    }
    let added = bias_at(n, part);
    for (var row = 0u; row < min(16u, params.m - m0); row++) {
      store(batch, m0 + row, n, part, sums[row / 4u * 4u + block][row % 4u] + added);
    }
  }
}
