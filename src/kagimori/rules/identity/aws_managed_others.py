"""Managed policies of AWS that tools and their tests attach, in as few words as say the same.

What they say of services that are not here is kept short: it allows nothing here. Those that mean
something to the services here are in `aws_managed.py`.

Source: AWS Managed Policy Reference Guide.
"""

from typing import Final

_SERVICE_ROLE: Final = "/service-role/"
_JOB: Final = "/job-function/"

# By name: path, description, and the actions that are allowed on every resource.
OTHERS: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "AWSLambdaBasicExecutionRole": (
        _SERVICE_ROLE,
        "Provides write permissions to CloudWatch Logs.",
        ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
    ),
    "AWSLambdaVPCAccessExecutionRole": (
        _SERVICE_ROLE,
        (
            "Provides minimum permissions for a Lambda function to execute while accessing a "
            "resource within a VPC."
        ),
        (
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
        ),
    ),
    "AWSLambdaSQSQueueExecutionRole": (
        _SERVICE_ROLE,
        "Provides receive message, delete message, and read attribute access to SQS queues.",
        ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "logs:*"),
    ),
    "AmazonECSTaskExecutionRolePolicy": (
        _SERVICE_ROLE,
        "Provides access to other AWS service resources that are required to run Amazon ECS tasks.",
        (
            "ecr:GetAuthorizationToken",
            "ecr:BatchCheckLayerAvailability",
            "ecr:GetDownloadUrlForLayer",
            "ecr:BatchGetImage",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
        ),
    ),
    "AmazonEC2ContainerServiceforEC2Role": (
        _SERVICE_ROLE,
        "Default policy for the Amazon EC2 Role for Amazon EC2 Container Service.",
        ("ec2:DescribeTags", "ecs:*", "ecr:*", "logs:CreateLogStream", "logs:PutLogEvents"),
    ),
    "AmazonEC2RoleforSSM": (
        _SERVICE_ROLE,
        "The default policy for Amazon EC2 Role for Simple Systems Manager.",
        ("ssm:*", "ssmmessages:*", "ec2messages:*", "logs:*"),
    ),
    "AWSConfigRole": (
        _SERVICE_ROLE,
        "Default policy for AWS Config service role.",
        ("config:Put*", "config:Get*", "config:List*", "config:Describe*"),
    ),
    "AWS_ConfigRole": (
        _SERVICE_ROLE,
        "Default policy for AWS Config service role.",
        ("config:Put*", "config:Get*", "config:List*", "config:Describe*"),
    ),
    "AmazonRDSEnhancedMonitoringRole": (
        _SERVICE_ROLE,
        "Provides access to CloudWatch for RDS Enhanced Monitoring.",
        ("logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:CreateLogStream"),
    ),
    "AWSLambda_FullAccess": (
        "/",
        "Grants full access to AWS Lambda service, console features, and other related services.",
        ("lambda:*", "kms:ListAliases", "iam:GetRole", "iam:ListRoles", "logs:Describe*"),
    ),
    "AWSLambda_ReadOnlyAccess": (
        "/",
        "Grants read-only access to AWS Lambda service, console features, and related services.",
        ("lambda:Get*", "lambda:List*", "kms:ListAliases", "iam:ListRoles", "logs:Describe*"),
    ),
    "AWSXRayDaemonWriteAccess": (
        "/",
        "Allow the AWS X-Ray Daemon to relay raw trace segments data to the service's API.",
        ("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSampling*"),
    ),
    "AmazonSSMManagedInstanceCore": (
        "/",
        "The policy for Amazon EC2 Role to enable AWS Systems Manager service core functionality.",
        ("ssm:*", "ssmmessages:*", "ec2messages:*"),
    ),
    "AmazonEKSClusterPolicy": (
        "/",
        "Provides Kubernetes the permissions it requires to manage resources on your behalf.",
        ("ec2:Describe*", "elasticloadbalancing:*", "autoscaling:Describe*", "kms:DescribeKey"),
    ),
    "AmazonEKSServicePolicy": (
        "/",
        "Allows Amazon Elastic Container Service for Kubernetes to create and manage resources.",
        ("ec2:Describe*", "ec2:CreateNetworkInterface*", "eks:UpdateClusterVersion"),
    ),
    "AmazonEKSWorkerNodePolicy": (
        "/",
        "Allows Amazon EKS worker nodes to connect to Amazon EKS Clusters.",
        ("ec2:Describe*", "eks:DescribeCluster", "eks-auth:AssumeRoleForPodIdentity"),
    ),
    "AmazonEKS_CNI_Policy": (
        "/",
        "Provides the Amazon VPC CNI Plugin the permissions it requires to modify IP addresses.",
        ("ec2:AssignPrivateIpAddresses", "ec2:*NetworkInterface*", "ec2:Describe*"),
    ),
    "AmazonEC2ContainerRegistryReadOnly": (
        "/",
        "Provides read-only access to Amazon EC2 Container Registry repositories.",
        ("ecr:Get*", "ecr:Describe*", "ecr:List*", "ecr:BatchGetImage", "ecr:Batch*Layer*"),
    ),
    "AmazonS3FullAccess": (
        "/",
        "Provides full access to all buckets via the AWS Management Console.",
        ("s3:*", "s3-object-lambda:*"),
    ),
    "AmazonS3ReadOnlyAccess": (
        "/",
        "Provides read only access to all buckets via the AWS Management Console.",
        ("s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"),
    ),
    "AmazonEC2FullAccess": (
        "/",
        "Provides full access to Amazon EC2 via the AWS Management Console.",
        ("ec2:*", "elasticloadbalancing:*", "cloudwatch:*", "autoscaling:*"),
    ),
    "AmazonEC2ReadOnlyAccess": (
        "/",
        "Provides read only access to Amazon EC2 via the AWS Management Console.",
        ("ec2:Describe*", "ec2:Get*", "elasticloadbalancing:Describe*", "autoscaling:Describe*"),
    ),
    "AmazonVPCFullAccess": ("/", "Provides full access to Amazon VPC.", ("ec2:*Vpc*",)),
    "AmazonVPCReadOnlyAccess": (
        "/",
        "Provides read only access to Amazon VPC via the AWS Management Console.",
        ("ec2:Describe*", "ec2:Get*"),
    ),
    "AmazonDynamoDBFullAccess": (
        "/",
        "Provides full access to Amazon DynamoDB via the AWS Management Console.",
        ("dynamodb:*", "dax:*", "kms:DescribeKey", "kms:ListAliases"),
    ),
    "AmazonDynamoDBReadOnlyAccess": (
        "/",
        "Provides read only access to Amazon DynamoDB via the AWS Management Console.",
        (
            "dynamodb:Describe*",
            "dynamodb:Get*",
            "dynamodb:List*",
            "dynamodb:Query",
            "dynamodb:Scan",
        ),
    ),
    "AmazonRDSFullAccess": (
        "/",
        "Provides full access to Amazon RDS via the AWS Management Console.",
        ("rds:*", "cloudwatch:*", "ec2:Describe*", "sns:List*"),
    ),
    "AmazonRDSReadOnlyAccess": (
        "/",
        "Provides read only access to Amazon RDS via the AWS Management Console.",
        ("rds:Describe*", "rds:ListTagsForResource", "ec2:Describe*", "cloudwatch:Get*"),
    ),
    "AmazonRoute53FullAccess": (
        "/",
        "Provides full access to all Amazon Route 53 via the AWS Management Console.",
        ("route53:*", "route53domains:*"),
    ),
    "AmazonRoute53ReadOnlyAccess": (
        "/",
        "Provides read only access to all Amazon Route 53 via the AWS Management Console.",
        ("route53:Get*", "route53:List*", "route53:TestDNSAnswer"),
    ),
    "AmazonSNSFullAccess": ("/", "Provides full access to Amazon SNS.", ("sns:*",)),
    "AmazonSNSReadOnlyAccess": (
        "/",
        "Provides read only access to Amazon SNS via the AWS Management Console.",
        ("sns:Get*", "sns:List*"),
    ),
    "AmazonSQSFullAccess": ("/", "Provides full access to Amazon SQS.", ("sqs:*",)),
    "AmazonSQSReadOnlyAccess": (
        "/",
        "Provides read only access to Amazon SQS via the AWS Management Console.",
        ("sqs:Get*", "sqs:List*"),
    ),
    "CloudWatchFullAccess": (
        "/",
        "Provides full access to CloudWatch.",
        ("cloudwatch:*", "logs:*"),
    ),
    "CloudWatchReadOnlyAccess": (
        "/",
        "Provides read only access to CloudWatch.",
        ("cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*", "logs:Get*", "logs:List*"),
    ),
    "CloudWatchLogsFullAccess": ("/", "Provides full access to CloudWatch Logs.", ("logs:*",)),
    "CloudWatchAgentServerPolicy": (
        "/",
        "Permissions required to use AmazonCloudWatchAgent on servers.",
        ("cloudwatch:PutMetricData", "logs:Put*", "logs:Create*", "logs:Describe*"),
    ),
    "SecretsManagerReadWrite": (
        "/",
        "Provides read/write access to AWS Secrets Manager via the AWS Management Console.",
        ("secretsmanager:*", "kms:DescribeKey", "kms:ListAliases", "kms:ListKeys"),
    ),
    "AWSCloudTrail_FullAccess": (
        "/",
        "Provides full access to AWS CloudTrail.",
        ("cloudtrail:*", "kms:CreateKey", "kms:CreateAlias", "kms:ListKeys", "kms:ListAliases"),
    ),
    "AWSCloudTrail_ReadOnlyAccess": (
        "/",
        "This policy grants read-only access to AWS CloudTrail.",
        ("cloudtrail:Get*", "cloudtrail:Describe*", "cloudtrail:List*", "cloudtrail:LookupEvents"),
    ),
    "AWSSupportAccess": ("/", "Allows users to access the AWS Support Center.", ("support:*",)),
    "Billing": (
        _JOB,
        "Grants permissions for billing and cost management.",
        ("aws-portal:*Billing", "aws-portal:*Usage", "budgets:*", "cur:*", "ce:*"),
    ),
    "DatabaseAdministrator": (
        _JOB,
        "Grants full access permissions to AWS services and actions required to set up databases.",
        ("rds:*", "dynamodb:*", "redshift:*", "elasticache:*", "kms:ListKeys", "iam:ListRoles"),
    ),
    "DataScientist": (
        _JOB,
        "Grants permissions to AWS data analytics services.",
        ("elasticmapreduce:*", "s3:*", "kms:List*", "iam:GetRole", "iam:ListRoles"),
    ),
    "NetworkAdministrator": (
        _JOB,
        "Grants full access permissions to AWS services and actions for network resources.",
        ("ec2:*", "route53:*", "directconnect:*", "elasticloadbalancing:*"),
    ),
    "SupportUser": (
        _JOB,
        "This policy grants permissions to troubleshoot and resolve issues in an AWS account.",
        ("support:*", "kms:Describe*", "kms:Get*", "kms:List*", "iam:GetAccountSummary"),
    ),
    "SystemAdministrator": (
        _JOB,
        "Grants full access permissions necessary for resources required for operations.",
        ("ec2:*", "cloudwatch:*", "kms:CreateAlias", "kms:CreateKey", "kms:List*", "kms:Describe*"),
    ),
    "ViewOnlyAccess": (
        _JOB,
        "This policy grants permissions to view resources and basic metadata across services.",
        (
            "kms:ListAliases",
            "kms:ListKeys",
            "iam:List*",
            "iam:GetAccountSummary",
            "cloudtrail:List*",
        ),
    ),
}
