// c = a·b, a [m,k], b [k,n], c [m,n], row-major; m a multiple of 16, n of 8, k of 4.
//
// The simplest quick product on software adapters, to measure others against: an invocation keeps 16 rows
// and 8 columns of c in eight 4×4 matrices, a column of which is four neighbours in a row of c. No memory is
// shared. Workgroups: n / 8 / 8 by m / 16 / 8, rounded up.

struct Params { m: u32, k: u32, n: u32 }

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> c: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

// Four rows of a, four columns each, as the columns of a matrix.
fn rows(row: u32, step: u32) -> mat4x4f {
  let width = params.k / 4u;
  let at = row * width + step;
  return mat4x4f(a[at], a[at + width], a[at + 2u * width], a[at + 3u * width]);
}

fn store(row: u32, column: u32, tile: mat4x4f) {
  let width = params.n / 4u;
  let at = row * width + column;
  c[at] = tile[0];
  c[at + width] = tile[1];
  c[at + 2u * width] = tile[2];
  c[at + 3u * width] = tile[3];
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y * 16u;
  let column = id.x * 2u;
  if (row >= params.m || column * 4u >= params.n) { return; }
  let width = params.n / 4u;
  var c00 = mat4x4f(); var c01 = mat4x4f();
  var c10 = mat4x4f(); var c11 = mat4x4f();
  var c20 = mat4x4f(); var c21 = mat4x4f();
  var c30 = mat4x4f(); var c31 = mat4x4f();
  for (var step = 0u; step < params.k / 4u; step++) {
    let at = step * 4u * width + column;
    let b0 = mat4x4f(b[at], b[at + width], b[at + 2u * width], b[at + 3u * width]);
    let b1 = mat4x4f(b[at + 1u], b[at + width + 1u], b[at + 2u * width + 1u], b[at + 3u * width + 1u]);
    let a0 = rows(row, step);
    c00 += b0 * a0; c01 += b1 * a0;
    let a1 = rows(row + 4u, step);
    c10 += b0 * a1; c11 += b1 * a1;
    let a2 = rows(row + 8u, step);
    c20 += b0 * a2; c21 += b1 * a2;
    let a3 = rows(row + 12u, step);
    c30 += b0 * a3; c31 += b1 * a3;
  }
  store(row, column, c00); store(row, column + 1u, c01);
  store(row + 4u, column, c10); store(row + 4u, column + 1u, c11);
  store(row + 8u, column, c20); store(row + 8u, column + 1u, c21);
  store(row + 12u, column, c30); store(row + 12u, column + 1u, c31);
}
