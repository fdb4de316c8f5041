// C = A·B + bias; operands and parameters are in lib/matmul.wgsl
//
// One invocation computes four neighbouring columns of one row of C: for products of few rows.
// Workgroups: ⌈batches·M·⌈N/4⌉ / 16⌉, folded into two dimensions; by parts of k.

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let across = (params.n + 3u) / 4u;
  let tile = linear_index(workgroup, workgroups, local, 16u);
  let row = tile / across;
  let batch = row / params.m;
  let m = row - batch * params.m;
  let n = (tile - row * across) * 4u;
  if (batch >= params.batches) {
    return;
  }
  let part = workgroup.z;
  let begin = part * params.k_part;
  let end = min(params.k, begin + params.k_part);
  var at = params.a_offset + batch * params.a_batch + m * params.a_m + begin * params.a_k;
  var columns = columns_of_b(batch, n, begin);

  var sum = vec4f();
  for (var step = 0u; step < (end - begin) / 4u; step++) {
    sum += block_of_b(columns) * fetch_a(at + vec4u(0u, 1u, 2u, 3u) * params.a_k);
    at += 4u * params.a_k;
    columns += 4u * params.b_k;
  }
  // What is left of k, one at a time.
  for (var k = begin + ((end - begin) & ~3u); k < end; k++) {
    sum += fetch_b(columns) * a[at];
    at += params.a_k;
    columns += params.b_k;
  }
  store(batch, m, n, part, sum + bias_at(n, part));
}
