/**
 * Elements out of text: everything a server or an exchange says becomes a text node, never markup.
 */

export type Child = Node | string;

/** The element the page has under an id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found as T;
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = '',
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.append(...children);
  return made;
}

/** Sets the text if it differs: an unchanged figure costs the browser nothing. */
export function say(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets a `data-` attribute if it differs. */
export function mark(node: HTMLElement | SVGElement, name: string, value: string): void {
  if (node.dataset[name] !== value) node.dataset[name] = value;
}

const SVG = 'http://www.w3.org/2000/svg';

export function svg(
  tag: string,
  attributes: Readonly<Record<string, string>>,
  ...children: readonly SVGElement[]
): SVGElement {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export interface Column<Row> {
  readonly name: string;
  readonly isNumber?: boolean;
  readonly cell: (row: Row) => Child;
}

/** A table, or one sentence when there is nothing to put in it. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  nothing: string,
): HTMLElement {
  if (rows.length === 0) return element('p', 'nothing', nothing);
  const classOf = ({ isNumber }: Column<Row>): string => (isNumber === true ? 'number' : '');
  const head = columns.map((column) => {
    const cell = element('th', classOf(column), column.name);
    cell.scope = 'col';
    return cell;
  });
  const body = rows.map((row) =>
    element('tr', '', ...columns.map((column) => element('td', classOf(column), column.cell(row)))),
  );
  return element(
    'table',
    '',
    element('thead', '', element('tr', '', ...head)),
    element('tbody', '', ...body),
  );
}

/** A coloured dot; what it means stands beside it in words. */
export function dot(): HTMLElement {
  const made = element('span', 'dot');
  made.setAttribute('aria-hidden', 'true');
  return made;
}
