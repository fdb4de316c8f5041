// What the kernels of matrix products share: C[m,n] = Σ_k A(m,k)·B(k,n) + bias[n], for each of a batch of matrices.
//
//   a     A; element (m,k) at a_offset + m·a_m + k·a_k, so that a transposed matrix is one with strides swapped
//   b     B; element (k,n) at b_offset + k·b_k + n·b_n
//   bias  [N], read when has_bias
//   c     C; element (m,n) at c_offset + m·c_m + n; assigned, or added to when accumulate
//
// The next matrix of a batch is a_batch and b_batch further on, nowhere else if all share one; in C it is the next M
// rows. Kernels number the rows of tiles through all of the batch.
// Workgroups of another z take another part of k, of k_part elements, and write it c_part elements further on;
// the bias is in the first part.

struct Params {
  batches: u32,
  m: u32,
  n: u32,
  k: u32,
  k_part: u32,
  a_offset: u32,
  a_batch: u32,
  a_m: u32,
  a_k: u32,
  b_offset: u32,
  b_batch: u32,
  b_k: u32,
  b_n: u32,
  c_offset: u32,
  c_m: u32,
  c_part: u32,
  has_bias: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// Where four neighbours begin; those past the edge repeat the last one, and are never stored.
fn neighbours(first: u32, count: u32, stride: u32) -> vec4u {
  return min(vec4u(first) + vec4u(0u, 1u, 2u, 3u), vec4u(count - 1u)) * stride;
}

fn rows_of_a(batch: u32, m: u32, k: u32) -> vec4u {
  return params.a_offset + batch * params.a_batch + k * params.a_k + neighbours(m, params.m, params.a_m);
}

fn columns_of_b(batch: u32, n: u32, k: u32) -> vec4u {
  return params.b_offset + batch * params.b_batch + k * params.b_k + neighbours(n, params.n, params.b_n);
}

fn fetch_a(at: vec4u) -> vec4f {
  return vec4f(a[at.x], a[at.y], a[at.z], a[at.w]);
}

fn fetch_b(at: vec4u) -> vec4f {
  return vec4f(b[at.x], b[at.y], b[at.z], b[at.w]);
}

// Four k by four n: a column is one k, so that the product with a block of A has one m a column.
fn block_of_b(columns: vec4u) -> mat4x4f {
  let k = vec4u(0u, 1u, 2u, 3u) * params.b_k;
  return mat4x4f(fetch_b(columns + k.x), fetch_b(columns + k.y), fetch_b(columns + k.z), fetch_b(columns + k.w));
}

// Four m of A and four n of B at one k.
fn outer_product(row: vec4f, column: vec4f) -> mat4x4f {
  return mat4x4f(row * column.x, row * column.y, row * column.z, row * column.w);
}

// What the bias adds to four columns.
fn bias_at(n: u32, part: u32) -> vec4f {
  if (params.has_bias == 0u || part > 0u) {
    return vec4f();
  }
  let at = neighbours(n, params.n, 1u);
  return vec4f(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

// Writes as many of four columns as there are.
fn store(batch: u32, m: u32, n: u32, part: u32, sums: vec4f) {
  let row = batch * params.m + m;
  let at = params.c_offset + part * params.c_part + row * params.c_m + neighbours(n, params.n, 1u);
  var value = sums;
  if (params.accumulate != 0u) {
    value += vec4f(c[at.x], c[at.y], c[at.z], c[at.w]);
  }
  c[at.x] = value.x;
  if (n + 1u < params.n) {
    c[at.y] = value.y;
  }
  if (n + 2u < params.n) {
    c[at.z] = value.z;
  }
  if (n + 3u < params.n) {
    c[at.w] = value.w;
  }
}
