// dtable[tokens[n], e] += dy[n,e] for n from begin to end, one after another
//
//   dy      [N, E]; rows dy_stride elements apart, from dy_offset
//   tokens  [N], from token_offset; one outside the table counts for its nearest row
//   dtable  [V, E]; added to, so it must hold zeros at first
//
// One invocation owns a column: for adapters with few lanes, where reading each token once a column is less
// work than once a row. Sums run in the order of n, so results repeat, and are equal to the bit to those of
// embedding_backward.wgsl. Workgroups: ⌈E/16⌉, folded into two dimensions.

struct Params {
  width: u32,
  vocabulary: u32,
  dy_offset: u32,
  dy_stride: u32,
  token_offset: u32,
  begin: u32,
  end: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> tokens: array<i32>;
@group(0) @binding(2) var<storage, read_write> dtable: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let column = linear_index(workgroup, workgroups, local, 16u);
  if (column >= params.width) {
    return;
  }
  let last = i32(params.vocabulary) - 1;
  for (var n = params.begin; n < params.end; n++) {
    let row = u32(clamp(tokens[params.token_offset + n], 0, last));
    dtable[row * params.width + column] += dy[params.dy_offset + n * params.dy_stride + column];
  }
}
