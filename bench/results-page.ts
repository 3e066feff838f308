/**
 * bench/RESULTS.md: a section per benchmark, replaced when that benchmark has run, and the table
 * against the replaced design, made from whatever sections there are.
 */
import { type Benchmark, type Figure, meets, type Outcome } from './benchmark.js';
import { type Comparison, replacedDesign } from './replaced-design.js';

const HEADING = '# Measured';
const INTRODUCTION = `Written by \`npm run bench\`; every section says on what machine. A figure in M/s per core is
work per second of processor time (user + system), which a busy machine does not distort; all
others are by the clock. The digest is of what was computed.`;

export interface Section {
  readonly name: string;
  readonly text: string;
}

export function readSections(page: string): Section[] {
  return page
    .split(/^## /m)
    .slice(1)
    .map((text) => ({
      name: text.slice(0, text.indexOf('\n')).trim(),
      text: `## ${text.trim()}\n`,
    }));
}

/** The page with the sections of the benchmarks that ran in place of their old ones. */
export function updatePage(
  page: string,
  order: readonly string[],
  fresh: readonly Section[],
): string {
  const sections = new Map(readSections(page).map((section) => [section.name, section]));
  for (const section of fresh) sections.set(section.name, section);
  const known = order.flatMap((name) => sections.get(name) ?? []);
  const table = comparisonTable(replacedDesign(known.map(({ text }) => text).join('\n')));
  return [HEADING, INTRODUCTION, table, ...known.map(({ text }) => text.trim())]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}

export function renderSection(
  { name, about }: Benchmark,
  { figures, digest, remarks = [] }: Outcome,
  machine: string,
  date: string,
): Section {
  const lines = [
    `## ${name}`,
    '',
    about,
    '',
    '| figure | value | target | |',
    '|---|---:|---:|---|',
    ...figures.map((figure) => {
      const verdict = meets(figure);
      const mark = verdict === undefined ? '' : verdict ? 'met' : 'missed';
      return `| ${figure.name} | ${formatValue(figure)} | ${formatTarget(figure)} | ${mark} |`;
    }),
    '',
    ...remarks.map((remark) => `- ${remark}`),
    `- Digest \`${digest}\`. ${date}, ${machine}.`,
    '',
  ];
  return { name, text: lines.join('\n') };
}

export function formatValue({ value, unit }: Pick<Figure, 'value' | 'unit'>): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  const [whole = '', fraction] = value.toFixed(digits).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return `${grouped}${fraction === undefined ? '' : `.${fraction}`} ${unit}`.trim();
}

function formatTarget({ target, unit }: Figure): string {
  if (target === undefined) return '';
  return 'atLeast' in target
    ? `>= ${formatValue({ value: target.atLeast, unit })}`
    : `<= ${formatValue({ value: target.atMost, unit })}`;
}

function comparisonTable(rows: readonly Comparison[]): string {
  if (rows.length === 0) return '';
  return [
    '## The replaced design',
    '',
    'Its published figures, and the same from the sections below.',
    '',
    '| | replaced design | Bullion |',
    '|---|---:|---:|',
    ...rows.map(({ what, theirs, ours }) => `| ${what} | ${theirs} | ${ours} |`),
  ].join('\n');
}
