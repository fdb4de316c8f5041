// y[o,i] = scale·Σ_r x[o,r,i] over r in [begin, end) (+ y[o,i] when accumulate)
//
//   x  [outer, reduced, inner], rows of x_stride elements for each r, x_outer for each o, from x_offset
//   y  [outer, inner], from y_offset
//
// With columns 4 and lanes 1 an invocation computes four neighbouring sums alone. With columns 1 a workgroup of
// 64 computes 64/lanes sums: with lanes 1 each invocation sums alone, with 64 all sum one element together.
// Workgroups: ⌈outer·⌈inner/columns⌉·lanes/64⌉, folded into two dimensions.

struct Params {
  outer: u32,
  inner: u32,
  x_offset: u32,
  x_outer: u32,
  x_stride: u32,
  begin: u32,
  end: u32,
  columns: u32,
  lanes: u32,
  y_offset: u32,
  scale: f32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> partial: array<f32, 64>;

fn quad(at: vec4u) -> vec4f {
  return vec4f(x[at.x], x[at.y], x[at.z], x[at.w]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let lanes = params.lanes;
  let across = (params.inner + params.columns - 1u) / params.columns;
  let count = params.outer * across;
  let element = (workgroup.y * workgroups.x + workgroup.x) * (64u / lanes) + local / lanes;
  let column = element % across * params.columns;
  let start = params.x_offset + element / across * params.x_outer;
  let stride = params.x_stride;
  var sums = vec4f();
  if (element < count && params.columns == 4u) {
    // Those past the edge repeat the last one, and are not stored.
    var at = start + params.begin * stride + min(vec4u(column) + vec4u(0u, 1u, 2u, 3u), vec4u(params.inner - 1u));
    for (var r = 0u; r < (params.end - params.begin) / 4u; r++) {
      sums += quad(at);
      sums += quad(at + stride);
      sums += quad(at + 2u * stride);
      sums += quad(at + 3u * stride);
      at += 4u * stride;
    }
    for (var r = 0u; r < (params.end - params.begin) % 4u; r++) {
      sums += quad(at);
      at += stride;
    }
  }
  if (element < count && params.columns == 1u) {
    for (var r = params.begin + local % lanes; r < params.end; r += lanes) {
      sums.x += x[start + column + r * stride];
    }
  }
  if (lanes > 1u) {
    partial[local] = sums.x;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
      if (local < half) {
        partial[local] += partial[local + half];
      }
      workgroupBarrier();
    }
    sums.x = partial[0];
  }
  if (element < count && local % lanes == 0u) {
    for (var i = 0u; i < min(params.columns, params.inner - column); i++) {
      let at = params.y_offset + element / across * params.inner + column + i;
      var value = sums[i] * params.scale;
      if (params.accumulate != 0u) {
        value += y[at];
      }
      y[at] = value;
    }
  }
}
