// y[o,i] = scale·Σ_r x[o,r,i] over r in [begin, end) (+ y[o,i] when accumulate)
//
//   x  [outer, reduced, inner], rows of x_stride elements for each r, x_outer for each o, from x_offset
//   y  [outer, inner], from y_offset
//
// A workgroup of 64 invocations computes 64/lanes elements: with lanes 1 each invocation sums alone, with 64
// all sum one element together. Workgroups: ⌈outer·inner·lanes/64⌉, folded into two dimensions.

struct Params {
  outer: u32,
  inner: u32,
  x_offset: u32,
  x_outer: u32,
  x_stride: u32,
  begin: u32,
  end: u32,
  lanes: u32,
  y_offset: u32,
  scale: f32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let lanes = params.lanes;
  let count = params.outer * params.inner;
  let element = (workgroup.y * workgroups.x + workgroup.x) * (64u / lanes) + local / lanes;
  var sum = 0.0;
  if (element < count) {
    let start = params.x_offset + element / params.inner * params.x_outer + element % params.inner;
    for (var r = params.begin + local % lanes; r < params.end; r += lanes) {
      sum += x[start + r * params.x_stride];
    }
  }
  if (lanes > 1u) {
    partial[local] = sum;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
      if (local < half) {
        partial[local] += partial[local + half];
      }
      workgroupBarrier();
    }
    sum = partial[0];
  }
  if (element < count && local % lanes == 0u) {
    var value = sum * params.scale;
    if (params.accumulate != 0u) {
      value += y[params.y_offset + element];
    }
    y[params.y_offset + element] = value;
  }
}
