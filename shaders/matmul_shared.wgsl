// C = A·B + bias; operands and parameters are in lib/matmul.wgsl
//
// A workgroup of 256 computes a 64×64 tile of C, an invocation 4×4 of it. Sixteen k at a time are brought into
// shared memory, 64 of A and 64 of B each: for GPUs with fast shared memory.
// Workgroups: (⌈N/64⌉, batches·⌈M/64⌉, parts of k).

const DEPTH = 16u;

var<workgroup> tile_a: array<array<vec4f, 16>, 16>;
var<workgroup> tile_b: array<array<vec4f, 16>, 16>;

// Four neighbours at one k; zeros past the end of k, so that whole steps add nothing there.
fn load_a(batch: u32, m: u32, k: u32, end: u32) -> vec4f {
  return select(vec4f(), fetch_a(rows_of_a(batch, m, min(k, end - 1u))), k < end);
}

fn load_b(batch: u32, n: u32, k: u32, end: u32) -> vec4f {
  return select(vec4f(), fetch_b(columns_of_b(batch, n, min(k, end - 1u))), k < end);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let part = workgroup.z;
  let begin = part * params.k_part;
  let end = min(params.k, begin + params.k_part);
  let down = (params.m + 63u) / 64u;
  let batch = workgroup.y / down;
  let m0 = (workgroup.y - batch * down) * 64u;
  let n0 = workgroup.x * 64u;
  let column = local % 16u;
  let row = local / 16u;
  // Neighbouring invocations read what lies together: along k where that is how A or B is stored.
  let a_along_k = params.a_k == 1u;
  let b_along_k = params.b_n != 1u;
  let a_k = select(row, column, a_along_k);
  let a_m = select(column, row, a_along_k);
  let b_k = select(row, column, b_along_k);
  let b_n = select(column, row, b_along_k);

  // A column is one row m of C, a component one column n.
  var sums = mat4x4f();
  for (var k = begin; k < end; k += DEPTH) {
    tile_a[a_k][a_m] = load_a(batch, m0 + 4u * a_m, k + a_k, end);
    tile_b[b_k][b_n] = load_b(batch, n0 + 4u * b_n, k + b_k, end);
    workgroupBarrier();
    for (var depth = 0u; depth < DEPTH; depth++) {
      sums += outer_product(tile_b[depth][column], tile_a[depth][row]);
    }
    workgroupBarrier();
  }

  let m = m0 + 4u * row;
  let n = n0 + 4u * column;
  if (n < params.n && m < params.m) {
    let added = bias_at(n, part);
    for (var i = 0u; i < min(4u, params.m - m); i++) {
      store(batch, m + i, n, part, sums[i] + added);
    }
  }
}
