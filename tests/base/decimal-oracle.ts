/** What a decimal text is worth, decided with a regular expression and BigInt: shares no code with
 * src/base/decimal.ts. */
export interface DecimalVerdict {
  /** In the order of DecimalStatus. */
  readonly status: 'ok' | 'invalid' | 'precision' | 'range' | 'not_positive';
  /** Scaled by 10^8, when ok. */
  readonly value: bigint;
}

export const STATUS_NAMES = ['ok', 'invalid', 'precision', 'range', 'not_positive'] as const;

const NUMBER = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

export function decimalOracle(text: string): DecimalVerdict {
  const match = NUMBER.exec(text);
  if (match === null) return { status: 'invalid', value: 0n };
  const [, sign, whole, fraction = '', exponentText = '0'] = match;
  let digits = BigInt(whole + fraction);
  if (digits === 0n) return { status: 'not_positive', value: 0n };
  let exponent = BigInt(exponentText) - BigInt(fraction.length);
  while (digits % 10n === 0n) {
    digits /= 10n;
    exponent++;
  }
  if (exponent < -8n) return { status: 'precision', value: 0n };
  if (BigInt(digits.toString().length) + exponent > 10n) return { status: 'range', value: 0n };
  if (sign === '-') return { status: 'not_positive', value: 0n };
  return { status: 'ok', value: digits * 10n ** (exponent + 8n) };
}
