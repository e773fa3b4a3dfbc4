export const MAX_FILE_LINES = 400;
export const MAX_FUNCTION_LINES = 60;

/** Lines of a text; the newline that closes the last one starts no further line. */
export function countLines(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}

/** A note when a file is longer than it may be. */
export function findLongFile(path: string, source: string, limit = MAX_FILE_LINES): string[] {
  const lines = countLines(source);
  return lines > limit ? [`${path}: ${lines} lines, allowed are ${limit}`] : [];
}

/**
 * Functions longer than the limit, the functions inside them included in their length.
 * Deno's own parser finds them: its lint plug-ins can be run from a test.
 */
export function findLongFunctions(path: string, source: string, limit = MAX_FUNCTION_LINES): string[] {
  return inspect(path, source, (context) => {
    const check = (node: FunctionNode) => {
      const lines = countLines(context.sourceCode.getText(node));
      if (lines > limit) context.report({ node, message: `a function of ${lines} lines, allowed are ${limit}` });
    };
    return { FunctionDeclaration: check, FunctionExpression: check, ArrowFunctionExpression: check };
  });
}

type FunctionNode =
  | Deno.lint.FunctionDeclaration
  | Deno.lint.FunctionExpression
  | Deno.lint.ArrowFunctionExpression;

/** What a file of the program may not say, by the place it lies in. */
export function findForbiddenCode(path: string, source: string): string[] {
  const mayReadEnvironment = path.startsWith("src/config/");
  const mayPrint = path === "src/core/log.ts" || path.startsWith("src/cli/");
  return inspect(path, source, (context) => ({
    MemberExpression(node) {
      if (mayReadEnvironment || nameOf(node.property) !== "env") return;
      if (isEnvironmentOwner(node.object)) {
        context.report({ node, message: "only src/config reads the environment" });
      }
    },
    VariableDeclarator(node) {
      if (mayReadEnvironment || node.id.type !== "ObjectPattern" || !isEnvironmentOwner(node.init)) return;
      const takesEnvironment = node.id.properties.some((part) =>
        part.type !== "Property" || nameOf(part.key) === "env"
      );
      if (takesEnvironment) context.report({ node, message: "only src/config reads the environment" });
    },
    Identifier(node) {
      if (!mayPrint && node.name === "console") {
        context.report({ node, message: "only src/core/log.ts and src/cli use the console" });
      }
    },
    ImportExpression(node) {
      if (node.source.type !== "Literal") {
        context.report({ node, message: "a computed import() hides what is loaded; name the module" });
      }
    },
  }));
}

/** `a` for `a`, `b` for `a.b` and for the `"b"` of `a["b"]`. */
function nameOf(node: Deno.lint.Node): string | undefined {
  if (node.type === "Identifier") return node.name;
  if (node.type === "MemberExpression") return nameOf(node.property);
  return node.type === "Literal" ? String(node.value) : undefined;
}

function isEnvironmentOwner(node: Deno.lint.Node | null | undefined): boolean {
  const name = node ? nameOf(node) : undefined;
  return name === "Deno" || name === "process";
}

function inspect(
  path: string,
  source: string,
  create: (context: Deno.lint.RuleContext) => Deno.lint.LintVisitor,
): string[] {
  const plugin: Deno.lint.Plugin = { name: "architecture", rules: { rule: { create } } };
  return Deno.lint.runPlugin(plugin, path, source).map(({ range, message }) =>
    `${path}:${countLines(source.slice(0, range[0]) + ".")}: ${message}`
  );
}

/** Comments that switch a check off. */
export function findSuppressions(path: string, source: string): string[] {
  return findLines(path, source, /@ts-(?:ignore|expect-error|nocheck)|deno-lint-ignore/);
}

/** Names that belong to one machine, and hosts of package registries, which no file of the project may contain. */
export function findMachineNames(path: string, text: string): string[] {
  return findLines(
    path,
    text,
    /(?<![\w.])\/(?:home|Users|work|root|tmp)\/|\bregistry\.[\w-]+\.[a-z]+/,
  );
}

function findLines(path: string, text: string, pattern: RegExp): string[] {
  return text.split("\n").flatMap((line, index) => {
    const found = pattern.exec(line);
    return found ? [`${path}:${index + 1}: ${found[0]}`] : [];
  });
}
