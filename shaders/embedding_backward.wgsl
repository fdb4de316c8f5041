// dtable[v,e] = Σ dy[n,e] over n in [begin, end) with tokens[n] = v (+ dtable[v,e] when accumulate)
//
//   dy      [N, E]; rows dy_stride elements apart, from dy_offset
//   tokens  [N], from token_offset
//   dtable  [V, E]
//
// One invocation computes four neighbouring columns of one row, reading every token: for small tables. Sums
// run in the order of n, so results repeat. Workgroups: ⌈V·⌈E/4⌉/64⌉, folded into two dimensions.

struct Params {
  width: u32,
  vocabulary: u32,
  dy_offset: u32,
  dy_stride: u32,
  token_offset: u32,
  begin: u32,
  end: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> tokens: array<i32>;
@group(0) @binding(2) var<storage, read_write> dtable: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  let width = params.width;
  let quads = (width + 3u) / 4u;
  if (i >= params.vocabulary * quads) {
    return;
  }
  let row = i / quads;
  let columns = min(vec4u(i % quads * 4u) + vec4u(0u, 1u, 2u, 3u), vec4u(width - 1u));
  var sum = vec4f();
  for (var n = params.begin; n < params.end; n++) {
    if (clamp(tokens[params.token_offset + n], 0, i32(params.vocabulary) - 1) == i32(row)) {
      let at = columns + params.dy_offset + n * params.dy_stride;
      sum += vec4f(dy[at.x], dy[at.y], dy[at.z], dy[at.w]);
    }
  }
  for (var column = i % quads * 4u; column < min(width, i % quads * 4u + 4u); column++) {
    let at = row * width + column;
    var value = sum[column % 4u];
    if (params.accumulate != 0u) {
      value += dtable[at];
    }
    dtable[at] = value;
  }
}
