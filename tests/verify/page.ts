/** The readable page of a verify run: Markdown, what was found first. */
import type { CheckAnswer } from '#tests/verify/check-program';

export interface Report {
  readonly seed: number;
  readonly seconds: number;
  readonly findings: number;
  readonly answers: readonly CheckAnswer[];
}

const QUOTED_MAX = 3_000;

export function page({ seed, seconds, findings, answers }: Report): string {
  const lines = [
    '# Verify',
    '',
    `Seed ${seed}, ${seconds} s, ${findings === 0 ? 'nothing found' : `**${findings} found**`}.`,
    '',
    '| check | seed | seconds | found | figures |',
    '|---|---|---|---|---|',
    ...answers.map(
      (answer) =>
        `| ${answer.check} | ${answer.seed} | ${answer.seconds} | ${answer.findings.length} | ${cell(figuresOf(answer))} |`,
    ),
    '',
  ];
  for (const { check, findings: found } of answers) {
    for (const { what, command } of found) {
      const quoted = what
        .slice(0, QUOTED_MAX)
        .split('\n')
        .map((line) => `    ${line}`);
      lines.push(`## Found by ${check}`, '', ...quoted, '', `Again: \`${command}\``, '');
    }
  }
  const slowest = answers
    .flatMap(({ check, slowest: some }) => some.map((one) => ({ check, ...one })))
    .sort((a, b) => b.ms - a.ms)
    .slice(0, 15);
  lines.push('## Slowest', '', '| check | what | ms |', '|---|---|---|');
  for (const { check, what, ms } of slowest) lines.push(`| ${check} | ${cell(what)} | ${ms} |`);
  const missed = answers.flatMap(({ check, missed: some }) =>
    some.map((one) => `${check}: ${one}`),
  );
  lines.push('', '## Not reached', '', missed.length === 0 ? 'Everything was.' : '');
  lines.push(...missed.map((one) => `- ${one}`), '', '## Faults and outcomes', '');
  for (const { check, outcomes } of answers) {
    if (Object.keys(outcomes).length === 0) continue;
    lines.push(`### ${check}`, '', '| fault | outcomes |', '|---|---|');
    for (const [fault, row] of Object.entries(outcomes).sort()) {
      const told = Object.entries(row).map(([outcome, times]) => `${outcome}: ${times}`);
      lines.push(`| ${cell(fault)} | ${cell(told.join('; '))} |`);
    }
    lines.push('');
  }
  return `${lines.join('\n')}\n`;
}

function figuresOf({ figures }: CheckAnswer): string {
  return Object.entries(figures)
    .map(
      ([name, value]) =>
        `${name}: ${typeof value === 'number' ? value.toLocaleString('en') : value}`,
    )
    .join('; ');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
