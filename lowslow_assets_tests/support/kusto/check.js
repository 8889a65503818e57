// Microsoft's own KQL parser on queries over the two sign-in tables, and over ours.
// stdin: JSON of the queries and of our table's columns; stdout: per query the problems found and
// its string literals.
require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");
const { GlobalState, KustoCode, Symbols, Syntax } = Kusto.Language;

const { queries, ours } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const columns = (details) => `(
    TimeGenerated: datetime, Id: string, UserPrincipalName: string, ResultType: string,
    IPAddress: string, Location: string, AppDisplayName: string, ClientAppUsed: string,
    DeviceDetail: ${details}, LocationDetails: ${details}, UserAgent: string,
    AutonomousSystemNumber: string)`;
const workspace = new Symbols.DatabaseSymbol.ctor("workspace", [
  new Symbols.TableSymbol.$ctor7("SigninLogs", columns("dynamic")),
  new Symbols.TableSymbol.$ctor7("AADNonInteractiveUserSignInLogs", columns("string")),
  new Symbols.TableSymbol.$ctor7("LowslowIncidents_CL", `(TimeGenerated: datetime, ${ours})`),
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

console.log(JSON.stringify(queries.map(check)));
