/** Printing rows: what goes out can be read back, and never runs as a formula or moves a cursor. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { OutputColumn, OutputFormat } from '#src/output/rows';
import { formatted } from '#tests/output/formatted';

const COLUMNS: readonly OutputColumn[] = [
  { name: 'note', kind: 'text' },
  { name: 'id', kind: 'integer' },
  { name: 'price', kind: 'decimal' },
  { name: 'at', kind: 'time' },
  { name: 'final', kind: 'boolean' },
];

type Row = {
  note: string | null;
  id: number | bigint;
  price: string | null;
  at: string;
  final: boolean;
};

function print(format: OutputFormat, rows: readonly Row[]): string {
  return formatted(format, COLUMNS, rows);
}

const row: fc.Arbitrary<Row> = fc.record({
  note: fc.option(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('"', ',', '\r', '\n', "'", '=', '-', '\t', '@', 'a') }),
    ),
  ),
  id: fc.oneof(fc.maxSafeInteger(), fc.bigInt()),
  price: fc.option(fc.constantFrom('-0.00000001', '63551.02000000', '9999999999.99999999')),
  at: fc.constant('2025-03-04T00:00:00Z'),
  final: fc.boolean(),
});

interface Field {
  readonly value: string;
  readonly quoted: boolean;
}

/** A second, independent reading of RFC 4180: states, no regular expressions. */
function readCsv(text: string): Field[][] {
  const records: Field[][] = [];
  let record: Field[] = [];
  let i = 0;
  while (i < text.length) {
    let value = '';
    const quoted = text[i] === '"';
    if (quoted) {
      i++;
      while (!(text[i] === '"' && text[i + 1] !== '"')) {
        assert.ok(i < text.length, 'a quote is never closed');
        if (text[i] === '"') i++;
        value += text[i++];
      }
      i++;
    } else {
      while (i < text.length && text[i] !== ',' && text[i] !== '\n') {
        assert.ok(text[i] !== '"' && text[i] !== '\r', 'a bare special character');
        value += text[i++];
      }
    }
    record.push({ value, quoted });
    if (text[i] === '\n') {
      records.push(record);
      record = [];
    } else assert.equal(text[i], ',', 'a field ends with a comma or a line end');
    i++;
  }
  assert.equal(record.length, 0, 'the last line ends');
  return records;
}

describe('csv', () => {
  it('reads back as what it was', () => {
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const [header, ...records] = readCsv(print('csv', rows));
        assert.deepEqual(
          header?.map((f) => f.value),
          COLUMNS.map((c) => c.name),
        );
        assert.equal(records.length, rows.length);
        records.forEach((record, i) => {
          const { note, id, price, at, final } = rows[i] as Row;
          const [first, ...others] = record as [Field, ...Field[]];
          const guarded = note !== null && /^[=+\-@\t\r]/.test(note) ? `'${note}` : note;
          assert.equal(first.value, guarded ?? '');
          if (note === '') assert.equal(first.quoted, true, 'empty text differs from no value');
          if (note === null) assert.equal(first.quoted, false);
          assert.deepEqual(
            others.map((f) => f.value),
            [String(id), price ?? '', at, String(final)],
          );
        });
      }),
    );
  });

  it('guards free text against formulas, and nothing else', () => {
    const rows = ['=cmd()', '+1', '-1', '@a', '\tb', 'a=b', "'x"].map((note) => ({
      note,
      id: -5,
      price: '-1.50000000',
      at: '2025-03-04T00:00:00Z',
      final: true,
    }));
    const notes = readCsv(print('csv', rows)).slice(1);
    assert.deepEqual(
      notes.map((r) => r[0]?.value),
      ["'=cmd()", "'+1", "'-1", "'@a", "'\tb", 'a=b', "'x"],
    );
    for (const r of notes) assert.deepEqual([r[1]?.value, r[2]?.value], ['-5', '-1.50000000']);
  });
});

describe('json', () => {
  it('is an array of objects, one a line, with exact values', () => {
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const text = print('json', rows);
        const read = JSON.parse(text) as Record<string, unknown>[];
        assert.equal(read.length, rows.length);
        read.forEach((object, i) => {
          const { note, id, price, at, final } = rows[i] as Row;
          assert.deepEqual(object, { note, id: Number(id), price, at, final });
        });
        if (rows.length > 0) assert.equal(text.split('\n').length, rows.length + 3);
      }),
    );
  });

  it('keeps the digits of an integer beyond a double', () => {
    const rows: Row[] = [{ note: null, id: 2n ** 53n + 1n, price: null, at: 'x', final: false }];
    assert.match(print('json', rows), /"id":9007199254740993,/);
  });
});

describe('table', () => {
  it('shows a small one exactly', () => {
    const rows: Row[] = [
      { note: 'gap', id: 7, price: '1.50000000', at: '2025-03-04T00:00:00Z', final: true },
      { note: null, id: 1234, price: '20.00000000', at: '2025-03-04T00:01:00Z', final: false },
    ];
    assert.equal(
      print('table', rows),
      [
        'note    id        price  at                    final',
        '----  ----  -----------  --------------------  -----',
        'gap      7   1.50000000  2025-03-04T00:00:00Z  true',
        '      1234  20.00000000  2025-03-04T00:01:00Z  false',
        '',
      ].join('\n'),
    );
  });

  it('is one line a row and carries no control characters', () => {
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const lines = print('table', rows).split('\n');
        assert.equal(lines.length, rows.length + 3);
        for (const line of lines) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
    const rows: Row[] = [{ note: '\x1b[2Jx', id: 1, price: null, at: '', final: true }];
    assert.match(print('table', rows), /\\x1b\[2Jx/);
  });
});

it('a value of the wrong kind is a bug, not output', () => {
  const columns: OutputColumn[] = [{ name: 'price', kind: 'decimal' }];
  assert.throws(() => formatted('csv', columns, [{ price: 0.1 }]), /column price/);
  const ids: OutputColumn[] = [{ name: 'id', kind: 'integer' }];
  assert.throws(() => formatted('json', ids, [{ id: 1.5 }]), /column id/);
});
