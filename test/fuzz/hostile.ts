/** Values that no option wants, and objects that misbehave when they are looked at. */

/** What a getter or a method of a hostile object throws. */
export class Trap extends Error {
  override readonly name = 'Trap';
}

function spring(): never {
  throw new Trap('a hostile object was looked into');
}

/** An object whose every property, conversion and key throws. */
export function trapped(): object {
  return new Proxy({}, { get: spring, has: spring, ownKeys: spring, getOwnPropertyDescriptor: spring });
}

/** Values by a name for messages. They are made anew, so that none can be spoiled for the next test. */
export function hostileValues(): readonly (readonly [name: string, value: unknown])[] {
  return [
    ['null', null],
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['-Infinity', -Infinity],
    ['-1', -1],
    ['-0', -0],
    ['0.5', 0.5],
    ['2 ** 31', 2 ** 31],
    ['2 ** 53 - 1', 2 ** 53 - 1],
    ['2 ** 53', 2 ** 53],
    ['3e9', 3e9],
    ['1e308', 1e308],
    ['5e-324', 5e-324],
    ['true', true],
    ['false', false],
    ['a bigint', 1n],
    ['a symbol', Symbol('hostile')],
    ['""', ''],
    ['"1"', '1'],
    ['"__proto__"', '__proto__'],
    ['"constructor"', 'constructor'],
    ['half a surrogate pair', '\ud800'],
    ['a long text', 'x'.repeat(100_000)],
    ['[]', []],
    ['[NaN]', [NaN]],
    ['[[1]]', [[1]]],
    ['a list of holes', new Array<unknown>(3)],
    ['{}', {}],
    ['an object without prototype', Object.create(null)],
    ['an object with its own __proto__', JSON.parse('{"__proto__":{"polluted":1},"constructor":{}}')],
    ['an object that looks like a long list', { length: 2 ** 32 }],
    ['an object that cannot be converted', { toString: spring, valueOf: spring, toJSON: spring }],
    ['a trapped object', trapped()],
    ['a Number', new Number(3)],
    ['a Date', new Date(0)],
    ['a Map', new Map([['a', 1]])],
    ['an empty array buffer', new ArrayBuffer(0)],
    ['a Float32Array', Float32Array.of(1, NaN)],
    ['an arrow function', () => NaN],
  ];
}
