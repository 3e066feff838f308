/**
 * Light or dark: what the system prefers, until the switch says otherwise. Charts are painted, not
 * styled, so they ask here for colours and are told when these change.
 */
import { byId } from './dom.js';

const KEY = 'bullion.theme';
const DARK = window.matchMedia('(prefers-color-scheme: dark)');

function isDark(): boolean {
  const chosen = localStorage.getItem(KEY);
  return chosen === null ? DARK.matches : chosen === 'dark';
}

/** Sets the colours and keeps them right; `onChange` hears of every change from then on. */
export function startTheme(onChange: () => void): void {
  const button = byId('theme');
  const apply = (): void => {
    const dark = isDark();
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    button.setAttribute('aria-label', `Switch to ${dark ? 'light' : 'dark'} colours`);
    onChange();
  };
  button.addEventListener('click', () => {
    localStorage.setItem(KEY, isDark() ? 'light' : 'dark');
    apply();
  });
  DARK.addEventListener('change', apply);
  apply();
}

/** A colour of the style sheet as it is now, for painting. */
export function colour(name: string, opacity = 1): string {
  const probe = document.createElement('span');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const [red, green, blue] = getComputedStyle(probe).color.match(/[\d.]+/g) ?? ['0', '0', '0'];
  probe.remove();
  return `rgba(${red}, ${green}, ${blue}, ${opacity})`;
}
