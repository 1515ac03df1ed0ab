import { lex, type Piece, type Token } from './lex.ts';
import { parseError, type Source } from './source.ts';

export type Literal = string | number | boolean | null;

/** What an operand starts from; fields are read from it one by one. */
export type Base =
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'literal'; readonly value: Literal }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'pipe'; readonly pipe: Pipe };

export interface Operand {
  readonly base: Base;
  readonly fields: readonly string[];
  /** Where errors about it point: behind a first field or variable, as in Go. */
  readonly pos: number;
  /** As written, for errors. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** A function or a field with arguments, or one operand alone. Never empty. */
export type Call = readonly [Operand, ...Operand[]];

export interface Pipe {
  /** Variables that get the value: one, or two in a range. */
  readonly variables: readonly string[];
  /** `=` to a variable that exists rather than `:=`. */
  readonly assigns: boolean;
  readonly calls: readonly Call[];
  readonly pos: number;
}

/** `if`, `with` or `range` with what follows its `else`. */
export interface Block {
  readonly kind: 'if' | 'with' | 'range';
  readonly pipe: Pipe;
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[];
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'output'; readonly pipe: Pipe }
  | { readonly kind: 'break' }
  | { readonly kind: 'continue' }
  | Block;

/** Nesting that no sensible template has; it keeps hostile ones from exhausting the stack. */
const MAX_DEPTH = 100;

interface Cursor {
  readonly source: Source;
  readonly tokens: readonly Token[];
  readonly end: number;
  readonly isFunction: (name: string) => boolean;
  at: number;
  depth: number;
}

const peek = (cursor: Cursor): Token | undefined => cursor.tokens[cursor.at];
const isMark = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'mark' && token.text === text;
const textOf = (cursor: Cursor, pos: number, end: number): string => cursor.source.text.slice(pos, end);

function unexpected(cursor: Cursor, where: string): never {
  const token = peek(cursor);
  const shown = token === undefined ? '"}}"' : JSON.stringify(textOf(cursor, token.pos, token.end));
  return parseError(cursor.source, token?.pos ?? cursor.end, `unexpected ${shown} in ${where}`);
}

function literal(token: Token): Literal | undefined {
  if (token.kind === 'string') return token.text;
  if (token.kind === 'char') return token.text.codePointAt(0) ?? 0;
  if (token.kind === 'number') {
    const sign = token.text.startsWith('-') ? -1 : 1;
    return sign * Number(token.text.replace(/^[+-]/, ''));
  }
  if (token.kind !== 'word') return undefined;
  return token.text === 'nil'
    ? null
    : token.text === 'true'
      ? true
      : token.text === 'false'
        ? false
        : undefined;
}

/** `( pipeline )`; the opening bracket is the token before the cursor. */
function bracketed(cursor: Cursor): Base {
  if (++cursor.depth > MAX_DEPTH) parseError(cursor.source, cursor.end, 'too deeply nested');
  const pipe = parsePipe(cursor, 'pipeline');
  if (!isMark(peek(cursor), ')')) parseError(cursor.source, cursor.end, 'unclosed left paren');
  cursor.at++;
  cursor.depth--;
  return { kind: 'pipe', pipe };
}

function base(cursor: Cursor, token: Token): { base: Base; fields: string[] } {
  const value = literal(token);
  if (value !== undefined) return { base: { kind: 'literal', value }, fields: [] };
  if (token.kind === 'field') return { base: { kind: 'dot' }, fields: [token.text] };
  if (token.kind === 'variable') return { base: { kind: 'variable', name: token.text }, fields: [] };
  if (isMark(token, '.')) return { base: { kind: 'dot' }, fields: [] };
  if (isMark(token, '(')) return { base: bracketed(cursor), fields: [] };
  if (token.kind === 'word') {
    if (!cursor.isFunction(token.text))
      parseError(cursor.source, token.pos, `function "${token.text}" not defined`);
    return { base: { kind: 'function', name: token.text }, fields: [] };
  }
  cursor.at--;
  return unexpected(cursor, 'operand');
}

function parseOperand(cursor: Cursor): Operand {
  const token = peek(cursor);
  if (token === undefined) return unexpected(cursor, 'operand');
  cursor.at++;
  const { base: start, fields } = base(cursor, token);
  const chain = peek(cursor);
  const pos = chain?.kind === 'field' && !chain.spaced ? chain.pos : token.pos;
  for (let next = peek(cursor); next?.kind === 'field' && !next.spaced; next = peek(cursor)) {
    fields.push(next.text);
    cursor.at++;
  }
  const end = cursor.tokens[cursor.at - 1]?.end ?? token.end;
  if (fields.length > 0 && (start.kind === 'literal' || start.kind === 'function')) {
    parseError(
      cursor.source,
      token.pos,
      `unexpected . after term ${JSON.stringify(textOf(cursor, token.pos, token.end))}`,
    );
  }
  return { base: start, fields, pos, text: textOf(cursor, token.pos, end), start: token.pos, end };
}

const endsCall = (token: Token | undefined): boolean =>
  token === undefined ||
  isMark(token, '|') ||
  isMark(token, ')') ||
  isMark(token, '=') ||
  isMark(token, ':=');

function parseCall(cursor: Cursor, context: string): Call {
  if (endsCall(peek(cursor))) {
    if (peek(cursor) !== undefined) unexpected(cursor, context);
    parseError(cursor.source, cursor.end, `missing value for ${context}`);
  }
  const call: [Operand, ...Operand[]] = [parseOperand(cursor)];
  const { base: head, pos } = call[0];
  if (head.kind === 'literal' && head.value === null) parseError(cursor.source, pos, 'nil is not a command');
  while (!endsCall(peek(cursor))) {
    if (peek(cursor)?.spaced === false && !isMark(cursor.tokens[cursor.at - 1], ')'))
      unexpected(cursor, 'operand');
    call.push(parseOperand(cursor));
  }
  return call;
}

/** `$x :=`, `$x =`, or in a range `$i, $e :=`. */
function parseVariables(cursor: Cursor, context: string): { variables: string[]; assigns: boolean } {
  const names: string[] = [];
  let at = cursor.at;
  for (;;) {
    const token = cursor.tokens[at];
    if (token?.kind !== 'variable') return { variables: [], assigns: false };
    names.push(token.text);
    const next = cursor.tokens[at + 1];
    if (isMark(next, ':=') || isMark(next, '=')) {
      cursor.at = at + 2;
      return { variables: names, assigns: isMark(next, '=') };
    }
    if (context !== 'range' || names.length === 2 || !isMark(next, ','))
      return { variables: [], assigns: false };
    at += 2;
  }
}

function parsePipe(cursor: Cursor, context: string): Pipe {
  const pos = peek(cursor)?.pos ?? cursor.end;
  const { variables, assigns } = parseVariables(cursor, context);
  const calls = [parseCall(cursor, context)];
  while (isMark(peek(cursor), '|')) {
    cursor.at++;
    const call = parseCall(cursor, context);
    if (call[0].base.kind === 'literal') {
      parseError(cursor.source, call[0].pos, `non executable command in pipeline stage ${calls.length + 1}`);
    }
    calls.push(call);
  }
  return { variables, assigns, calls, pos };
}

interface Parser {
  readonly source: Source;
  readonly pieces: readonly Piece[];
  readonly isFunction: (name: string) => boolean;
  at: number;
  /** Names of variables in sight; errors name the unknown ones before anything runs. */
  readonly variables: string[];
  loops: number;
  depth: number;
}

function checkVariables(parser: Parser, pipe: Pipe): void {
  for (const operand of pipe.calls.flat()) {
    if (operand.base.kind === 'pipe') checkVariables(parser, operand.base.pipe);
    if (operand.base.kind === 'variable' && !parser.variables.includes(operand.base.name)) {
      parseError(parser.source, operand.pos, `undefined variable "${operand.base.name}"`);
    }
  }
  for (const name of pipe.variables) {
    if (pipe.assigns && !parser.variables.includes(name)) {
      parseError(parser.source, pipe.pos, `undefined variable "${name}"`);
    }
    parser.variables.push(name);
  }
}

function wholePipe(parser: Parser, cursor: Cursor, context: string): Pipe {
  const pipe = parsePipe(cursor, context);
  if (peek(cursor) !== undefined) unexpected(cursor, context);
  checkVariables(parser, pipe);
  return pipe;
}

type Ending = 'end' | 'else' | 'eof';

const KEYWORDS = new Set([
  'if',
  'range',
  'with',
  'else',
  'end',
  'break',
  'continue',
  'define',
  'template',
  'block',
]);
const CLAUSES = ['if', 'with'] as const;

function parseBlock(parser: Parser, cursor: Cursor, kind: 'if' | 'with' | 'range'): Node {
  if (++parser.depth > MAX_DEPTH) parseError(parser.source, cursor.end, 'too deeply nested');
  const scope = parser.variables.length;
  const pipe = wholePipe(parser, cursor, kind);
  const inside = parser.variables.length;
  if (kind === 'range') parser.loops++;
  const body = parseNodes(parser);
  if (kind === 'range') parser.loops--;
  parser.variables.length = inside;
  let otherwise: Node[] = [];
  if (body.ending === 'else') {
    const again = CLAUSES.find((word) => word === kind && body.clause?.tokens[1]?.text === word);
    if (again !== undefined && body.clause !== undefined) {
      otherwise = [parseBlock(parser, { ...body.clause, at: 2 }, again)];
    } else {
      if ((body.clause?.tokens.length ?? 0) > 1) unexpected({ ...(body.clause ?? cursor), at: 1 }, 'else');
      const rest = parseNodes(parser);
      if (rest.ending === 'else') parseError(parser.source, cursor.end, 'expected end; found {{else}}');
      if (rest.ending === 'eof') parseError(parser.source, parser.source.text.length, 'unexpected EOF');
      otherwise = rest.nodes;
    }
  } else if (body.ending === 'eof') {
    parseError(parser.source, parser.source.text.length, 'unexpected EOF');
  }
  parser.variables.length = scope;
  parser.depth--;
  return { kind, pipe, body: body.nodes, otherwise };
}

interface Nodes {
  readonly nodes: Node[];
  readonly ending: Ending;
  /** The `else` action that ended the nodes, with what stands behind the word. */
  readonly clause?: Cursor;
}

function parseKeyword(parser: Parser, cursor: Cursor, word: string): Node {
  if (word === 'if' || word === 'with' || word === 'range') return parseBlock(parser, cursor, word);
  if (word === 'break' || word === 'continue') {
    if (parser.loops === 0) parseError(parser.source, cursor.end, `{{${word}}} outside {{range}}`);
    if (peek(cursor) !== undefined) unexpected(cursor, `{{${word}}}`);
    return word === 'break' ? { kind: 'break' } : { kind: 'continue' };
  }
  return parseError(parser.source, cursor.end, `{{${word}}} is not supported`);
}

function parseNodes(parser: Parser): Nodes {
  const nodes: Node[] = [];
  for (let piece = parser.pieces[parser.at]; piece !== undefined; piece = parser.pieces[parser.at]) {
    parser.at++;
    if (piece.kind === 'text') {
      nodes.push(piece);
      continue;
    }
    const { tokens, end } = piece;
    const cursor: Cursor = {
      source: parser.source,
      tokens,
      end,
      isFunction: parser.isFunction,
      at: 0,
      depth: 0,
    };
    const first = tokens[0];
    const word = first?.kind === 'word' && KEYWORDS.has(first.text) ? first.text : undefined;
    if (word === undefined) {
      nodes.push({ kind: 'output', pipe: wholePipe(parser, cursor, 'command') });
      continue;
    }
    cursor.at = 1;
    if (word === 'else') return { nodes, ending: 'else', clause: cursor };
    if (word === 'end') {
      if (peek(cursor) !== undefined) unexpected(cursor, 'end');
      return { nodes, ending: 'end' };
    }
    nodes.push(parseKeyword(parser, cursor, word));
  }
  return { nodes, ending: 'eof' };
}

/** Parses a template of the subset described in ../template.ts. Throws USAGE with the line. */
export function parseTemplate(source: Source, isFunction: (name: string) => boolean): Node[] {
  const pieces = lex(source);
  const parser: Parser = { source, pieces, isFunction, at: 0, variables: ['$'], loops: 0, depth: 0 };
  const { nodes, ending } = parseNodes(parser);
  if (ending !== 'eof') parseError(source, source.text.length, `unexpected {{${ending}}}`);
  return nodes;
}
