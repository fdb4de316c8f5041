// One number an invocation, for grids that may need a second dimension: at most 65,535 workgroups fit in one.

fn linear_index(workgroup: vec3u, workgroups: vec3u, local_index: u32, workgroup_size: u32) -> u32 {
  return (workgroup.y * workgroups.x + workgroup.x) * workgroup_size + local_index;
}
