# What Terraform makes of IAM and KMS: every kind of resource that is offered, once.
terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}
provider "aws" {
  region                     = "us-east-1"
  skip_requesting_account_id = false
  skip_metadata_api_check    = true
}
data "aws_caller_identity" "me" {}
resource "aws_iam_user" "alice" {
  name                 = "alice"
  path                 = "/people/"
  force_destroy        = true
  permissions_boundary = aws_iam_policy.bound.arn
  tags                 = { team = "vault" }
}
resource "aws_iam_access_key" "alice" { user = aws_iam_user.alice.name }
resource "aws_iam_group" "crew" { name = "crew" }
resource "aws_iam_user_group_membership" "m" {
  user   = aws_iam_user.alice.name
  groups = [aws_iam_group.crew.name]
}
resource "aws_iam_policy" "bound" {
  name        = "bound"
  description = "x"
  policy      = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "kms:*", Resource = "*" }] })
  tags        = { a = "1" }
}
resource "aws_iam_role" "r" {
  name                 = "reader"
  description          = "Reads"
  max_session_duration = 7200
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { AWS = aws_iam_user.alice.arn } }] })
}
resource "aws_iam_role_policy" "rp" {
  name   = "own"
  role   = aws_iam_role.r.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "kms:Decrypt", Resource = "*" }] })
}
resource "aws_iam_role_policy_attachment" "ra" {
  role       = aws_iam_role.r.name
  policy_arn = aws_iam_policy.bound.arn
}
resource "aws_iam_group_policy_attachment" "ga" {
  group      = aws_iam_group.crew.name
  policy_arn = "arn:aws:iam::aws:policy/AWSKeyManagementServicePowerUser"
}
resource "aws_iam_user_policy" "up" {
  name   = "own"
  user   = aws_iam_user.alice.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "kms:Encrypt", Resource = "*" }] })
}
resource "aws_iam_instance_profile" "ip" {
  name = "machines"
  role = aws_iam_role.r.name
}
resource "aws_iam_account_alias" "al" { account_alias = "vault" }
resource "aws_iam_account_password_policy" "pp" {
  minimum_password_length        = 12
  require_symbols                = true
  allow_users_to_change_password = true
}
resource "aws_iam_user_login_profile" "lp" { user = aws_iam_user.alice.name }
resource "aws_iam_virtual_mfa_device" "mfa" { virtual_mfa_device_name = "phone" }
resource "aws_iam_openid_connect_provider" "oidc" {
  url             = "https://token.example.com"
  client_id_list  = ["app"]
  thumbprint_list = ["cf23df2207d99a74fbe169e3eba035e633b65d94"]
}
resource "aws_kms_key" "k" { description = "k" }
