package scale

// LookedUp is the day on which the prices were looked up.
const LookedUp = "2026-11-23"

// Prices of AWS in US dollars, in us-east-1, without any free tier. [Prices]
// says where each is published, and where it was seen.
const (
	LambdaGBSecond = 0.0000133334 // arm64; the time of an INIT is billed like that of a run
	LambdaRequest  = 0.20 / 1e6

	DynamoDBWrite   = 0.625 / 1e6 // a write request unit, on demand
	DynamoDBRead    = 0.125 / 1e6 // a read request unit, on demand
	DynamoDBGBMonth = 0.25        // stored

	CloudWatchMetric     = 0.30   // a month, each of an account's first CloudWatchMetrics; by the hour in which it has data
	CloudWatchMetrics    = 10_000 // that cost CloudWatchMetric
	CloudWatchMetricMore = 0.10   // a month, each of the next 240,000
	CloudWatchAlarm      = 0.10   // a month, of standard resolution
	CloudWatchDashboard  = 3.00   // a month
	CloudWatchLogGB      = 0.50   // taken in

	KMSKey  = 1.00          // a month; each of the first two yearly rotations adds as much
	KMSCall = 0.03 / 10_000 // with the key that AWS keeps, too

	ParameterInteraction = 0.05 / 10_000 // with the higher throughput; without it calls are free
	ParameterAdvanced    = 0.05          // a month; standard ones are free

	ScheduledRule = 0.0 // a tick of a rule of EventBridge; its Scheduler is another product, and bills
)

// A Price is one line of the list of prices.
type Price struct {
	What      string
	USD       string // as published
	Published string // AWS's own page, on which today's price stands
	Seen      string // the page on which this one was read, with its date if it has one
}

// Prices has all prices of AWS, with their sources. AWS's pages show most of
// their figures by script, so that a stored copy does not have them: those were
// read on others' pages.
var Prices = []Price{
	{"Lambda, arm64, a GB-second", "0.0000133334", "aws.amazon.com/lambda/pricing", "cloudchipr.com/blog/aws-lambda-pricing (2024)"},
	{"Lambda, a million requests", "0.20", "aws.amazon.com/lambda/pricing", "api-evangelist/aws-lambda, plans/aws-lambda-plans-pricing.yml (2026-09-20)"},
	{"DynamoDB on demand, a million write units", "0.625", "aws.amazon.com/dynamodb/pricing/on-demand", "airbyte.com/data-engineering-resources/dynamodb-pricing (2025-07-21)"},
	{"DynamoDB on demand, a million read units", "0.125", "aws.amazon.com/dynamodb/pricing/on-demand", "the same"},
	{"DynamoDB, a GB stored for a month", "0.25", "aws.amazon.com/dynamodb/pricing", "a stored copy of that page, of no known date"},
	{"CloudWatch, a metric for a month, the first 10,000", "0.30", "aws.amazon.com/cloudwatch/pricing", "signoz.io/guides/cloudwatch-pricing (2026-02-15)"},
	{"CloudWatch, a metric for a month, the next 240,000", "0.10", "aws.amazon.com/cloudwatch/pricing", "cal53.calculator.city/cloudwatch-custom-metrics-calculator"},
	{"CloudWatch, an alarm for a month", "0.10", "aws.amazon.com/cloudwatch/pricing", "c3x.dev/resources/aws/aws_cloudwatch_metric_alarm"},
	{"CloudWatch, a dashboard for a month", "3.00", "aws.amazon.com/cloudwatch/pricing", "factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards (2026-06-13)"},
	{"CloudWatch Logs, a GB taken in", "0.50", "aws.amazon.com/cloudwatch/pricing", "the same"},
	{"KMS, a key for a month", "1.00", "aws.amazon.com/kms/pricing", "a stored copy of that page; rotations: cloudburn.io/blog/aws-kms-pricing (2026-03-14)"},
	{"KMS, 10,000 calls", "0.03", "aws.amazon.com/kms/pricing", "wring.co/blog/aws-kms-pricing-guide"},
	{"Parameter Store, 10,000 interactions, higher throughput", "0.05", "aws.amazon.com/systems-manager/pricing",
		"data-dot-all/dataall#953 (2024-03-15), which quotes that page; that each parameter of a reply is one is said by brefphp/secrets-loader#16 alone"},
	{"Parameter Store, an advanced parameter for a month", "0.05", "aws.amazon.com/systems-manager/pricing", "stevekinney.com/courses/aws-frontend/parameter-store-vs-secrets-manager"},
	{"EventBridge, a tick of a scheduled rule", "0", "aws.amazon.com/eventbridge/pricing", "not verified: the pages seen call the events of AWS services free, and do not name scheduled rules"},
}

// Limits of an account in one Region, unless AWS was asked for more, and of one
// app at X.
const (
	// ParameterCalls is how many GetParameters calls AWS takes a second. With
	// the higher throughput it takes HigherParameterCalls: pages of 2022 and 2023
	// agree on that number, later ones name others.
	ParameterCalls       = 40
	HigherParameterCalls = 3000
	// StandardParameters is how many are free to keep.
	// https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
	StandardParameters = 10_000
	// A new table on demand starts with these units a second, and grows as it is used.
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html
	NewTableReads  = 12_000
	NewTableWrites = 4_000
	// PartitionWrites is the units a second that one partition takes, and a bot's
	// rows are in one: a table with a local index never splits them.
	PartitionWrites = 1_000
	// ScheduledRules is how many rules an event bus has.
	// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
	ScheduledRules = 300
	// ConcurrentRuns is how many environments Lambda runs at a time.
	// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	ConcurrentRuns = 1_000
	// XSearches in 15 minutes and XPosts in 24 hours are what one app may do.
	// https://docs.x.com/x-api/fundamentals/rate-limits
	XSearches = 450
	XPosts    = 10_000
)
