/** Proves that the shader lint finds each kind of fault, and says where it is. */
import { expect, it } from 'vitest';
import { lintShaders, type KernelSource } from '../../scripts/lint-shaders.js';

const LIBRARY = `// Doubles.

fn twice(value: f32) -> f32 {
  return value + value;
}
`;
const ENTRY = `// y = 2x

struct Params {
  count: u32, // numbers
  scale: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < params.count) {
    y[id.x] = params.scale * twice(x[id.x]);
  }
}
`;

/** Lints the kernel above with some of it changed; returns the faults. */
function lint(changes: { entry?: string; library?: string; kernel?: Partial<KernelSource>; extra?: string }) {
  const entry = changes.entry ?? ENTRY;
  const library = changes.library ?? LIBRARY;
  const files = new Map([
    ['double.wgsl', entry],
    ['lib/twice.wgsl', library],
  ]);
  if (changes.extra !== undefined) files.set('extra.wgsl', changes.extra);
  const kernel: KernelSource = {
    name: 'double',
    file: 'double.wgsl',
    code: `${entry}\n${library}`,
    bindings: { x: 'read', y: 'read_write' },
    parameters: { count: 'u32', scale: 'f32' },
    ...changes.kernel,
  };
  return lintShaders([kernel], files);
}

it('passes a sound kernel', async () => {
  expect(await lint({})).toEqual([]);
});

it('names file, line and column of an error in the kernel', async () => {
  const [fault, ...others] = await lint({ entry: ENTRY.replace('twice(x[id.x])', 'thrice(x[id.x])') });
  expect(fault).toMatch(/^shaders\/double\.wgsl:15:\d+ .*thrice/);
  expect(others).toEqual([]);
});

it('names file, line and column of an error in a library', async () => {
  const [fault] = await lint({ library: LIBRARY.replace('value + value', 'value + 1u') });
  expect(fault).toMatch(/^shaders\/lib\/twice\.wgsl:4:\d+ /);
});

it('refuses a barrier that not all invocations reach', async () => {
  const [fault] = await lint({ entry: ENTRY.replace('    y[id.x]', '    workgroupBarrier();\n    y[id.x]') });
  expect(fault).toMatch(/^shaders\/double\.wgsl:15:\d+ .*uniform/);
});

it('refuses an access that the catalogue does not promise', async () => {
  const [fault] = await lint({ kernel: { bindings: { x: 'read_write', y: 'read_write' } } });
  expect(fault).toContain('kernel double');
});

it('refuses names of bindings in another order', async () => {
  const [fault] = await lint({ kernel: { bindings: { y: 'read', x: 'read_write' } } });
  expect(fault).toContain('binds x, y; kernel double says y, x');
});

it('refuses parameters in another order', async () => {
  const [fault] = await lint({ kernel: { parameters: { scale: 'f32', count: 'u32' } } });
  expect(fault).toContain('Params is { count: u32, scale: f32 }');
});

it('refuses a file that no kernel uses', async () => {
  expect(await lint({ extra: 'fn alone() {}\n' })).toEqual([
    'shaders/extra.wgsl:1:1 no kernel uses this file',
  ]);
});

it('refuses a kernel that is not made of its file', async () => {
  const [fault] = await lint({ kernel: { file: 'other.wgsl' } });
  expect(fault).toContain('does not begin with the text of shaders/other.wgsl');
});
