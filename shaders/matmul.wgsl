// C[m,n] = Σ_k A(m,k)·B(k,n) + bias[n]
//
//   a     A stored [M,K], or [K,M] when a_transposed; rows a_stride elements apart, from a_offset
//   b     B stored [K,N], or [N,K] when b_transposed; rows b_stride elements apart, from b_offset
//   bias  [N], read when has_bias
//   c     [M,N]; rows c_stride elements apart, from c_offset; assigned, or added to when accumulate
//
// One invocation computes an 8×8 tile of C, four 4×4 blocks each in one matrix accumulator, so that a
// step of four k is four matrix products on eight vectors of A and eight of B. No shared memory.
// Workgroups: (⌈N/64⌉, ⌈M/64⌉). Joined with matmul_vec4.wgsl or matmul_scalar.wgsl.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  a_offset: u32,
  a_stride: u32,
  a_transposed: u32,
  b_offset: u32,
  b_stride: u32,
  b_transposed: u32,
  c_offset: u32,
  c_stride: u32,
  has_bias: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> a: array<Element>;
@group(0) @binding(1) var<storage, read> b: array<Element>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// Where the four vectors of a block begin. Vectors run along the stored rows: along k when the rows are
// `outer` (m of A, n of B), along `outer` when the rows are k. Blocks past the edge repeat the last one.
fn block_start(outer: u32, count: u32, rows_are_k: bool, offset: u32, stride: u32) -> vec4u {
  if (rows_are_k) {
    let column = min(outer, (count - 1u) & ~3u);
    return vec4u(offset + column) + vec4u(0u, 1u, 2u, 3u) * stride;
  }
  return vec4u(offset) + min(vec4u(outer) + vec4u(0u, 1u, 2u, 3u), vec4u(count - 1u)) * stride;
}

fn fetch_a(index: vec4u) -> mat4x4f {
  return mat4x4f(load_a(index.x), load_a(index.y), load_a(index.z), load_a(index.w));
}

fn fetch_b(index: vec4u) -> mat4x4f {
  return mat4x4f(load_b(index.x), load_b(index.y), load_b(index.z), load_b(index.w));
}

// Four m of A and four n of B at one k; those past the edge repeat the last one.
fn column_of_a(m: u32, k: u32) -> vec4f {
  let rows = min(vec4u(m) + vec4u(0u, 1u, 2u, 3u), vec4u(params.m - 1u));
  let at = params.a_offset + select(rows * params.a_stride + k, rows + k * params.a_stride, params.a_transposed != 0u);
  return vec4f(element_of_a(at.x), element_of_a(at.y), element_of_a(at.z), element_of_a(at.w));
}

fn row_of_b(n: u32, k: u32) -> vec4f {
  let columns = min(vec4u(n) + vec4u(0u, 1u, 2u, 3u), vec4u(params.n - 1u));
  let at = params.b_offset + select(columns + k * params.b_stride, columns * params.b_stride + k, params.b_transposed != 0u);
  return vec4f(element_of_b(at.x), element_of_b(at.y), element_of_b(at.z), element_of_b(at.w));
}

fn outer_product(row: vec4f, column: vec4f) -> mat4x4f {
  return mat4x4f(row * column.x, row * column.y, row * column.z, row * column.w);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let n0 = id.x * 8u;
  let m0 = id.y * 8u;
  if (n0 >= params.n || m0 >= params.m) {
    return;
  }
  let a_rows_are_k = params.a_transposed != 0u;
  let b_rows_are_k = params.b_transposed == 0u;
  let a_step = select(4u, 4u * params.a_stride, a_rows_are_k);
  let b_step = select(4u, 4u * params.b_stride, b_rows_are_k);
  var a_upper = block_start(m0, params.m, a_rows_are_k, params.a_offset, params.a_stride);
  var a_lower = block_start(m0 + 4u, params.m, a_rows_are_k, params.a_offset, params.a_stride);
  var b_left = block_start(n0, params.n, b_rows_are_k, params.b_offset, params.b_stride);
  var b_right = block_start(n0 + 4u, params.n, b_rows_are_k, params.b_offset, params.b_stride);

  // Column = row m of C, component = column n of C.
  var upper_left = mat4x4f();
  var upper_right = mat4x4f();
  var lower_left = mat4x4f();
  var lower_right = mat4x4f();
  for (var step = 0u; step < params.k / 4u; step++) {
    var a0 = fetch_a(a_upper);
    var a1 = fetch_a(a_lower);
    var b0 = fetch_b(b_left);
    var b1 = fetch_b(b_right);
    if (a_rows_are_k) {
      a0 = transpose(a0);
      a1 = transpose(a1);
    }
    if (!b_rows_are_k) {
      b0 = transpose(b0);
      b1 = transpose(b1);
    }
    upper_left += b0 * a0;
    upper_right += b1 * a0;
    lower_left += b0 * a1;
    lower_right += b1 * a1;
    a_upper += a_step;
    a_lower += a_step;
    b_left += b_step;
    b_right += b_step;
  }
  // What is left of k, one at a time.
  for (var k = params.k & ~3u; k < params.k; k++) {
    let upper = column_of_a(m0, k);
    let lower = column_of_a(m0 + 4u, k);
    let left = row_of_b(n0, k);
    let right = row_of_b(n0 + 4u, k);
    upper_left += outer_product(left, upper);
    upper_right += outer_product(right, upper);
    lower_left += outer_product(left, lower);
    lower_right += outer_product(right, lower);
  }

  var left = array<mat4x4f, 2>(upper_left, lower_left);
  var right = array<mat4x4f, 2>(upper_right, lower_right);
  for (var row = 0u; row < min(8u, params.m - m0); row++) {
    var values = array<vec4f, 2>(left[row / 4u][row % 4u], right[row / 4u][row % 4u]);
    let start = params.c_offset + (m0 + row) * params.c_stride + n0;
    for (var column = 0u; column < min(8u, params.n - n0); column++) {
      var value = values[column / 4u][column % 4u];
      if (params.has_bias != 0u) {
        value += bias[n0 + column];
      }
      if (params.accumulate != 0u) {
        value += c[start + column];
      }
      c[start + column] = value;
    }
  }
}
