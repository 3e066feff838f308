/** Cutting lines: the same lines whatever the chunks, and nothing large kept. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LineSplitter, type OversizeLine } from '#src/import/line-splitter';

interface Result {
  lines: string[];
  oversize: OversizeLine[];
}

function split(chunks: readonly Buffer[], lineBytesMax: number): Result {
  const splitter = new LineSplitter(lineBytesMax);
  const result: Result = { lines: [], oversize: [] };
  for (const block of [...chunks.map((c) => splitter.push(c)), splitter.end()]) {
    assert.equal(block.firstLine, result.lines.length + 1);
    for (let i = 0; i < block.count; i++) {
      result.lines.push(block.bytes.toString('latin1', block.starts[i], block.ends[i]));
    }
    result.oversize.push(...block.oversize);
  }
  return result;
}

/** The same by other means: the whole text at once. */
function expected(text: string, lineBytesMax: number): Result {
  const pieces = text.replace(/^\xef\xbb\xbf/, '').split('\n');
  const last = pieces.pop() as string;
  if (last !== '' || (pieces.length === 0 && text !== '')) pieces.push(last);
  const oversize: OversizeLine[] = [];
  const lines = pieces.map((piece, i) => {
    const line = piece.replace(/\r$/, '');
    if (line.length <= lineBytesMax) return line;
    oversize.push({ line: i + 1, bytes: line.length });
    return '';
  });
  return { lines, oversize };
}

describe('LineSplitter', () => {
  it('gives the same lines for every cut into chunks', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'b', '\n', '\n', '\r', '\r\n', '\xef\xbb\xbf'),
      maxLength: 200,
    });
    const cuts = fc.array(fc.nat(400), { maxLength: 12 });
    fc.assert(
      fc.property(text, cuts, fc.integer({ min: 1, max: 40 }), (content, at, max) => {
        const bytes = Buffer.from(content, 'latin1');
        const ends = [...at.filter((c) => c < bytes.length), bytes.length].sort((a, b) => a - b);
        const chunks = ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
        const got = split(chunks, max);
        const want = expected(content, max);
        // An unfinished oversize line cannot tell a CR at its very end from content.
        assert.deepEqual(got.lines, want.lines);
        assert.deepEqual(
          got.oversize.map((o) => o.line),
          want.oversize.map((o) => o.line),
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('reports a line above the limit with its size and goes on behind it', () => {
    const long = 'x'.repeat(1000);
    const bytes = Buffer.from(`first\n${long}\r\nlast\n`);
    const chunks = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) =>
      bytes.subarray(7 * i, 7 * (i + 1)),
    );
    const { lines, oversize } = split(chunks, 20);
    assert.deepEqual(lines, ['first', '', 'last']);
    assert.equal(oversize.length, 1);
    assert.equal(oversize[0]?.line, 2);
    assert.ok(Math.abs((oversize[0]?.bytes ?? 0) - 1000) <= 1);
  });

  it('takes a line of exactly the limit and refuses one byte more', () => {
    const line = (bytes: number) => Buffer.from(`${'x'.repeat(bytes)}\r\n`);
    assert.deepEqual(split([line(20)], 20).oversize, []);
    assert.deepEqual(split([line(21)], 20).oversize, [{ line: 1, bytes: 21 }]);
  });
});
