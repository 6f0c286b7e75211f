import ts from 'typescript';

/** One change of a module: what stood there, and what stands there when the mutant is active. */
export interface Mutant {
  id: number;
  /** From 1. */
  line: number;
  kind: string;
  from: string;
  to: string;
  /** The whole line of the source, without its indent. */
  source: string;
}

/** The function that instrumented code asks whether a mutant is active; the test runner defines it. */
export const SWITCH = '__isMutated';

const OPERATORS: Readonly<Record<string, readonly ts.BinaryOperator[]>> = {
  '<': [ts.SyntaxKind.LessThanEqualsToken, ts.SyntaxKind.GreaterThanEqualsToken],
  '<=': [ts.SyntaxKind.LessThanToken, ts.SyntaxKind.GreaterThanToken],
  '>': [ts.SyntaxKind.GreaterThanEqualsToken, ts.SyntaxKind.LessThanEqualsToken],
  '>=': [ts.SyntaxKind.GreaterThanToken, ts.SyntaxKind.LessThanToken],
  '===': [ts.SyntaxKind.ExclamationEqualsEqualsToken],
  '!==': [ts.SyntaxKind.EqualsEqualsEqualsToken],
  '&&': [ts.SyntaxKind.BarBarToken],
  '||': [ts.SyntaxKind.AmpersandAmpersandToken],
  '??': [ts.SyntaxKind.AmpersandAmpersandToken],
  '+': [ts.SyntaxKind.MinusToken],
  '-': [ts.SyntaxKind.PlusToken],
  '*': [ts.SyntaxKind.SlashToken],
  '/': [ts.SyntaxKind.AsteriskToken],
  '%': [ts.SyntaxKind.AsteriskToken],
  '+=': [ts.SyntaxKind.MinusEqualsToken],
  '-=': [ts.SyntaxKind.PlusEqualsToken],
};

const METHODS: Readonly<Record<string, string>> = {
  some: 'every',
  every: 'some',
  min: 'max',
  max: 'min',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
};

/** Calls without which the value that they are called on is left: `list.filter(f)` becomes `list`. */
const REMOVED_METHODS = new Set(['filter', 'sort', 'reverse', 'slice', 'trim', 'toLowerCase']);

/**
 * The module with every mutant in it, each behind a question to {@link SWITCH}: one build serves all of them.
 *
 * Not mutated: types, imports, texts for people (templates, and strings with a space in them) and the objects of
 * details and events, which tests compare by their fields.
 */
export function instrument(file: string, text: string): { code: string; mutants: Mutant[] } {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const lines = text.split('\n');
  const mutants: Mutant[] = [];
  const { factory } = ts;
  const printer = ts.createPrinter({ removeComments: true });
  const print = (node: ts.Node) =>
    printer.printNode(ts.EmitHint.Unspecified, node, source).replace(/\s+/g, ' ');

  function isOn(node: ts.Node, kind: string, from: string, to: string): ts.Expression {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    const id = mutants.length;
    mutants.push({ id, line: line + 1, kind, from, to, source: (lines[line] ?? '').trim() });
    return factory.createCallExpression(factory.createIdentifier(SWITCH), undefined, [
      factory.createNumericLiteral(id),
    ]);
  }

  const result = ts.transform(source, [
    (context) => (root) => {
      const descend = <T extends ts.Node>(node: T): T => ts.visitEachChild(node, visit, context);

      /** `SWITCH(id) ? mutated : rest`, for each of the mutants of a node. */
      function choice(node: ts.Expression, kind: string, others: readonly ts.Expression[]): ts.Expression {
        const from = print(node);
        const conditions = others.map((other) => isOn(node, kind, from, print(other)));
        const rest: ts.Expression = descend(node);
        return others.reduceRight<ts.Expression>(
          (inner, other, index) =>
            factory.createParenthesizedExpression(
              factory.createConditionalExpression(
                conditions[index] ?? factory.createFalse(),
                undefined,
                factory.createParenthesizedExpression(other),
                undefined,
                inner,
              ),
            ),
          factory.createParenthesizedExpression(rest),
        );
      }

      function condition(node: ts.Expression): ts.Expression {
        const from = print(node);
        const isConstant =
          node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword;
        if (isConstant) return node;
        const always = isOn(node, 'condition', from, 'true');
        const never = isOn(node, 'condition', from, 'false');
        return factory.createConditionalExpression(
          always,
          undefined,
          factory.createTrue(),
          undefined,
          factory.createConditionalExpression(
            never,
            undefined,
            factory.createFalse(),
            undefined,
            factory.createParenthesizedExpression(ts.visitNode(node, visit) as ts.Expression),
          ),
        );
      }

      function visit(node: ts.Node): ts.Node {
        if (
          ts.isTypeNode(node) ||
          ts.isImportDeclaration(node) ||
          ts.isExportDeclaration(node) ||
          ts.isInterfaceDeclaration(node) ||
          ts.isTypeAliasDeclaration(node)
        )
          return node;
        if (ts.isIfStatement(node)) {
          return factory.updateIfStatement(
            node,
            condition(node.expression),
            visit(node.thenStatement) as ts.Statement,
            node.elseStatement && (visit(node.elseStatement) as ts.Statement),
          );
        }
        if (ts.isWhileStatement(node))
          return factory.updateWhileStatement(
            node,
            condition(node.expression),
            visit(node.statement) as ts.Statement,
          );
        if (ts.isConditionalExpression(node)) {
          return factory.updateConditionalExpression(
            node,
            factory.createParenthesizedExpression(condition(node.condition)),
            node.questionToken,
            visit(node.whenTrue) as ts.Expression,
            node.colonToken,
            visit(node.whenFalse) as ts.Expression,
          );
        }
        if (ts.isExpressionStatement(node) && isRemovable(node.expression)) {
          const removed = isOn(node, 'statement', print(node), '(removed)');
          // In a block: an `else` after it must stay that of the outer `if`.
          return factory.createBlock([
            factory.createIfStatement(factory.createLogicalNot(removed), descend(node)),
          ]);
        }
        if (ts.isBinaryExpression(node)) {
          const others = OPERATORS[ts.tokenToString(node.operatorToken.kind) ?? ''];
          if (others && !isText(node))
            return choice(
              node,
              'operator',
              others.map((operator) =>
                factory.createBinaryExpression(
                  node.left,
                  operator,
                  factory.createParenthesizedExpression(node.right),
                ),
              ),
            );
        }
        if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken)
          return choice(node, 'negation', [node.operand]);
        if (
          ts.isPostfixUnaryExpression(node) ||
          (ts.isPrefixUnaryExpression(node) && isStep(node.operator))
        ) {
          const operator =
            node.operator === ts.SyntaxKind.PlusPlusToken
              ? ts.SyntaxKind.MinusMinusToken
              : ts.SyntaxKind.PlusPlusToken;
          return choice(node, 'step', [
            ts.isPostfixUnaryExpression(node)
              ? factory.createPostfixUnaryExpression(node.operand, operator)
              : factory.createPrefixUnaryExpression(operator, node.operand),
          ]);
        }
        if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
          const { expression: object, name } = node.expression;
          const other = Object.hasOwn(METHODS, name.text) ? METHODS[name.text] : undefined;
          if (other !== undefined && !node.expression.questionDotToken)
            return choice(node, 'method', [
              factory.createCallExpression(
                factory.createPropertyAccessExpression(object, other),
                undefined,
                node.arguments,
              ),
            ]);
          if (REMOVED_METHODS.has(name.text) && !node.expression.questionDotToken)
            return choice(node, 'method', [object]);
        }
        if (ts.isArrayLiteralExpression(node) && node.elements.length > 0 && !isPattern(node))
          return choice(node, 'array', [factory.createArrayLiteralExpression([])]);
        if (ts.isNumericLiteral(node) && isValue(node)) {
          const value = Number(node.text);
          return choice(node, 'number', [
            factory.createNumericLiteral(Number.isInteger(value) ? value + 1 : value * 1.8),
          ]);
        }
        if (ts.isStringLiteral(node) && isValue(node) && !node.text.includes(' '))
          return choice(node, 'string', [factory.createStringLiteral(node.text === '' ? 'mutant' : '')]);
        if (node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword) {
          const isTrue = node.kind === ts.SyntaxKind.TrueKeyword;
          return choice(node as ts.Expression, 'boolean', [
            isTrue ? factory.createFalse() : factory.createTrue(),
          ]);
        }
        if (ts.isRegularExpressionLiteral(node)) {
          const others = withoutAnchors(node.text).map((other) =>
            factory.createRegularExpressionLiteral(other),
          );
          if (others.length > 0) return choice(node, 'pattern', others);
        }
        return descend(node);
      }
      return ts.visitEachChild(root, visit, context);
    },
  ]);
  const [changed] = result.transformed;
  const code = changed ? ts.createPrinter().printFile(changed) : text;
  return { code: `${code}\n`, mutants };
}

function isStep(operator: ts.PrefixUnaryOperator): boolean {
  return operator === ts.SyntaxKind.PlusPlusToken || operator === ts.SyntaxKind.MinusMinusToken;
}

/** Calls and assignments. Not `super()`, and no listener's `void` alone. */
function isRemovable(node: ts.Expression): boolean {
  const inner = ts.isVoidExpression(node) || ts.isAwaitExpression(node) ? node.expression : node;
  if (ts.isCallExpression(inner)) return inner.expression.kind !== ts.SyntaxKind.SuperKeyword;
  return ts.isBinaryExpression(inner) && inner.operatorToken.kind === ts.SyntaxKind.EqualsToken;
}

/** A sum of texts: what people read. */
function isText(node: ts.BinaryExpression): boolean {
  if (node.operatorToken.kind !== ts.SyntaxKind.PlusToken) return false;
  return [node.left, node.right].some(
    (side) =>
      ts.isStringLiteral(side) ||
      ts.isTemplateExpression(side) ||
      ts.isNoSubstitutionTemplateLiteral(side) ||
      (ts.isBinaryExpression(side) && isText(side)),
  );
}

/** Not a name of a property, and no part of a type or an import. */
function isValue(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isLiteralTypeNode(parent)) return false;
  return !(
    (ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent) || ts.isMethodDeclaration(parent)) &&
    parent.name === node
  );
}

/** The left side of an assignment, as in `[a, b] = [b, a]`. */
function isPattern(node: ts.Node): boolean {
  const { parent } = node;
  return ts.isBinaryExpression(parent)
    ? parent.operatorToken.kind === ts.SyntaxKind.EqualsToken && parent.left === node
    : ts.isForOfStatement(parent) && parent.initializer === node;
}

function withoutAnchors(literal: string): string[] {
  const end = literal.lastIndexOf('/');
  const [body, flags] = [literal.slice(1, end), literal.slice(end + 1)];
  const others: string[] = [];
  if (body.startsWith('^')) others.push(body.slice(1));
  if (body.endsWith('$') && !body.endsWith('\\$')) others.push(body.slice(0, -1));
  return others.filter((other) => other !== '').map((other) => `/${other}/${flags}`);
}
