// occurrences[b] = for each class the place of its first label in the target, for each place that of the next label
// of the same class; places count from 1, 0 is none
//
//   targets         [B, S]; a label outside the classes takes the nearest
//   target_lengths  [B], of S
//   occurrences     [B, C + S]; assigned
//
// One invocation computes one element. Workgroups: ⌈B·(C + S)/64⌉, folded into two dimensions.

struct Params {
  batch: u32,
  classes: u32,
  labels: u32,
}

@group(0) @binding(0) var<storage, read> targets: array<i32>;
@group(0) @binding(1) var<storage, read> target_lengths: array<i32>;
@group(0) @binding(2) var<storage, read_write> occurrences: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn label_at(index: u32) -> u32 {
  return u32(clamp(targets[index], 0, i32(params.classes) - 1));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = linear_index(workgroup, workgroups, local, 64u);
  let width = params.classes + params.labels;
  if (index >= params.batch * width) {
    return;
  }
  let b = index / width;
  let i = index % width;
  let row = b * params.labels;
  let length = u32(clamp(target_lengths[b], 0, i32(params.labels)));
  var wanted = i;
  var place = 0u;
  if (i >= params.classes) {
    place = i - params.classes;
    wanted = label_at(row + place);
    place++;
  }
  while (place < length && label_at(row + place) != wanted) {
    place++;
  }
  occurrences[index] = select(0u, place + 1u, place < length);
}
