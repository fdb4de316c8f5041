// Operands of matmul.wgsl with rows of any length. Elements past the last one are never used, only fetched.

alias Element = f32;

fn load_a(index: u32) -> vec4f {
  let last = arrayLength(&a) - 1u;
  return vec4f(a[min(index, last)], a[min(index + 1u, last)], a[min(index + 2u, last)], a[min(index + 3u, last)]);
}

fn load_b(index: u32) -> vec4f {
  let last = arrayLength(&b) - 1u;
  return vec4f(b[min(index, last)], b[min(index + 1u, last)], b[min(index + 2u, last)], b[min(index + 3u, last)]);
}

fn element_of_a(index: u32) -> f32 {
  return a[index];
}

fn element_of_b(index: u32) -> f32 {
  return b[index];
}
