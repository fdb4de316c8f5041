// The entry point of a backward step for small batches, and where larger tiles would leave a GPU idle: the product of
// one batch row and four units in one invocation, then the cell's finish(). Workgroups: (⌈B·(units/4) / 16⌉, 1, D).

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let direction = id.z;
  let quads = params.unit_quads;
  let quad = id.x % quads;
  let row = id.x / quads;
  if (row >= params.batch) {
    return;
  }
  var sum = vec4f();
  if (params.has_next != 0u) {
    let first = params.source_read[direction] + row * params.source_stride;
    for (var n = 0u; n < params.source_quads; n++) {
      sum += weight_block(direction, n, quad) * gates[first + n];
    }
  }
  finish(direction, row, quad, sum);
}
