"""Prints what an AWS account has, as JSON:

    resources   strings like "table NAME"
    stacks      by name, the places of the template that became something
    functions   by name, the environment and the hash of the code

For the account that moto makes up; it reads only the first page of each list.
"""

import json

import boto3


def client(service):
    return boto3.client(service, region_name="us-east-1")


stacks = [
    s["StackName"]
    for s in client("cloudformation").list_stacks()["StackSummaries"]
    if s["StackStatus"] != "DELETE_COMPLETE"
]
functions = client("lambda").list_functions()["Functions"]
resources = {
    "stack": stacks,
    "bucket": [b["Name"] for b in client("s3").list_buckets()["Buckets"]],
    "function": [f["FunctionName"] for f in functions],
    "role": [r["RoleName"] for r in client("iam").list_roles()["Roles"]],
    "table": client("dynamodb").list_tables()["TableNames"],
    "log group": [g["logGroupName"] for g in client("logs").describe_log_groups()["logGroups"]],
    "queue": client("sqs").list_queues().get("QueueUrls", []),
    "topic": [t["TopicArn"] for t in client("sns").list_topics()["Topics"]],
    "rule": [r["Name"] for r in client("events").list_rules()["Rules"]],
    "dashboard": [d["DashboardName"] for d in client("cloudwatch").list_dashboards()["DashboardEntries"]],
    "key": [k["KeyId"] for k in client("kms").list_keys()["Keys"]],
    "parameter": [p["Name"] for p in client("ssm").describe_parameters()["Parameters"]],
}


def places(stack):
    answer = client("cloudformation").list_stack_resources(StackName=stack)
    return [r["LogicalResourceId"] for r in answer["StackResourceSummaries"] if r["LogicalResourceId"]]


account = {
    "resources": sorted(f"{kind} {name}" for kind, names in resources.items() for name in names),
    "stacks": {stack: places(stack) for stack in stacks},
    "functions": {
        f["FunctionName"]: {"environment": f["Environment"]["Variables"], "sha256": f["CodeSha256"]}
        for f in functions
    },
}
print(json.dumps(account))
