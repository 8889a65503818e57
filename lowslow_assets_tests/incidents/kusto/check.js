// Microsoft's own KQL parser on queries over the two sign-in tables.
// stdin: JSON list of queries; stdout: per query the problems found and its string literals.
require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");
const { GlobalState, KustoCode, Symbols, Syntax } = Kusto.Language;

const columns = (details) => `(
    TimeGenerated: datetime, Id: string, UserPrincipalName: string, ResultType: string,
    IPAddress: string, Location: string, AppDisplayName: string, ClientAppUsed: string,
    DeviceDetail: ${details}, LocationDetails: ${details}, UserAgent: string,
    AutonomousSystemNumber: string)`;
const workspace = new Symbols.DatabaseSymbol.ctor("workspace", [
  new Symbols.TableSymbol.$ctor7("SigninLogs", columns("dynamic")),
  new Symbols.TableSymbol.$ctor7("AADNonInteractiveUserSignInLogs", columns("string")),
]);
const globals = GlobalState.Default.WithDatabase(workspace);

function check(query) {
  const code = KustoCode.ParseAndAnalyze(query, globals);
  const diagnostics = code.GetDiagnostics();
  const problems = [];
  for (let i = 0; i < diagnostics.Count; i++) problems.push(diagnostics.getItem(i).Message);
  const literals = [];
  Syntax.SyntaxElement.WalkNodes(code.Syntax, (node) => {
    if (node.Kind === Syntax.SyntaxKind.StringLiteralExpression) literals.push(node.LiteralValue);
  });
  return { problems, literals };
}

const queries = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(queries.map(check)));
