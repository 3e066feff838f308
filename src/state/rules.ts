/**
 * The rules everything after bronze was derived by. They are part of what a data directory is: the
 * same log under another allowed lateness gives other revisions, so `rebuild` goes by the
 * directory's own rules, not by whatever configuration happens to be at hand.
 */
export interface DerivationRules {
  readonly future_tolerance_ms: number;
  readonly age_limit_days: number;
  readonly allowed_lateness_ms: number;
}

/** The part of a configuration that holds rules. */
interface RulesHolder {
  readonly validation: { readonly future_tolerance_ms: number; readonly age_limit_days: number };
  readonly candles: { readonly allowed_lateness_ms: number };
}

export function rulesOf({ validation, candles }: RulesHolder): DerivationRules {
  const { future_tolerance_ms, age_limit_days } = validation;
  return { future_tolerance_ms, age_limit_days, allowed_lateness_ms: candles.allowed_lateness_ms };
}

/** The configuration with these rules in the place of its own. */
export function withRules<C extends RulesHolder>(config: C, rules: DerivationRules): C {
  const { allowed_lateness_ms, ...validation } = rules;
  return {
    ...config,
    validation: { ...config.validation, ...validation },
    candles: { ...config.candles, allowed_lateness_ms },
  };
}

export function sameRules(a: DerivationRules, b: DerivationRules): boolean {
  return (
    a.future_tolerance_ms === b.future_tolerance_ms &&
    a.age_limit_days === b.age_limit_days &&
    a.allowed_lateness_ms === b.allowed_lateness_ms
  );
}
